"""What a step did wrong, as data (never an exception of ours)."""

from __future__ import annotations

import msgspec

#: Kinds whose loss is the platform's: they do not use up the user's attempts.
INFRASTRUCTURE_KINDS = frozenset({"lost", "infrastructure"})


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Mirror of foldline.api.failure.v1.Failure; the proto has the meaning of every field."""

    kind: str
    reason: str
    message: str
    error_class: str = ""
    traceback: str = ""
    exit_code: int = 0
    signal: int = 0
