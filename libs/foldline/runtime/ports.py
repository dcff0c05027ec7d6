"""A port of this machine on which the ranks of an attempt meet: free, and nobody else's until they end.

A port that is bound here could not be bound by rank 0. So it is only looked at, outside of the range from
which the kernel gives ports to whoever connects, and reserved by a name in the machine's abstract socket
namespace, which every launcher asks for and the kernel frees when its holder ends.
"""

from __future__ import annotations

import random
import socket
from types import TracebackType
from typing import Self

_FIRST, _LAST = 20_000, 32_000
_TRIES = 1000


class MeetingPort:
    """Reserved while the block lasts."""

    def __init__(self) -> None:
        self.number = 0
        self._reservation: socket.socket | None = None

    def __enter__(self) -> Self:
        for _ in range(_TRIES):
            number = random.randrange(_FIRST, _LAST)  # noqa: S311 - so that launchers seldom ask for the same
            reservation = _reserved(number)
            if reservation is not None:
                self.number, self._reservation = number, reservation
                return self
        raise OSError(f"no port from {_FIRST} to {_LAST} is free")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._reservation is not None:
            self._reservation.close()


def _reserved(number: int) -> socket.socket | None:
    """What holds the port; None when somebody has it."""
    reservation = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        reservation.bind(f"\0foldline-port-{number}")
        with socket.socket() as probe:
            probe.bind(("", number))
    except OSError:
        reservation.close()
        return None
    return reservation
