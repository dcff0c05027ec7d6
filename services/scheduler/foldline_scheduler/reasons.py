"""Why an attempt does not run yet: a stable word, and a sentence that a person can act on. Pure."""

from __future__ import annotations

from msgspec import Struct

UNKNOWN_FLAVOR = "UNKNOWN_FLAVOR"
NO_EXECUTOR = "NO_EXECUTOR"
TOO_LARGE = "TOO_LARGE"
LIMIT = "LIMIT"
TURN = "TURN"
NO_ROOM = "NO_ROOM"
STARTING = "STARTING"


class Reason(Struct, frozen=True):
    """`reason` is one of the words above."""

    reason: str
    message: str
