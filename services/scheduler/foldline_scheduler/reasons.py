"""Why an attempt does not run yet: a stable word, and a sentence that a person can act on. Pure."""

from __future__ import annotations

from msgspec import Struct

UNKNOWN_FLAVOR = "UNKNOWN_FLAVOR"
"""The step names a flavor that this installation does not define."""
NO_EXECUTOR = "NO_EXECUTOR"
"""No executor of the pool is there, or none that takes the flavor."""
TOO_LARGE = "TOO_LARGE"
"""No executor of the pool is large enough, even when it is idle."""
LIMIT = "LIMIT"
"""As many attempts are active as a limit permits."""
TURN = "TURN"
"""Others are before it."""
NO_ROOM = "NO_ROOM"
"""It is next, and no executor has enough room at this moment."""
STARTING = "STARTING"
"""It is being given to an executor right now."""


class Reason(Struct, frozen=True):
    """`reason` is one of the words above."""

    reason: str
    message: str
