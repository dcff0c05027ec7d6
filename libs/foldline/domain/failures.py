"""What a step did wrong, as data (never an exception of ours)."""

from __future__ import annotations

import msgspec

#: Kinds whose loss is the platform's: they do not use up the user's attempts. "stopped" is among them since
#: an attempt that was stopped although its run goes on was stopped by an executor that had to leave.
INFRASTRUCTURE_KINDS = frozenset({"lost", "infrastructure", "stopped"})


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Mirror of foldline.api.failure.v1.Failure; the proto has the meaning of every field."""

    kind: str
    reason: str
    message: str
    error_class: str = ""
    traceback: str = ""
    exit_code: int = 0
    signal: int = 0
