"""What the supervisor tells the world: one file, replaced at each change, read by `status`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec

from foldline.cli.stack import lock
from foldline.cli.stack.home import Home, write_private
from foldline.cli.stack.keeper import Condition
from foldline.cli.stack.lock import Holder

Phase = Literal["starting", "ready", "stopping", "failed"]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """An installation at one moment. The addresses are empty until it is ready."""

    phase: Phase
    supervisor: Holder
    home: str
    problem: str = ""
    server: str = ""
    console: str = ""
    processes: tuple[Condition, ...] = ()


class Board:
    """Holds the present state and writes it down."""

    def __init__(self, home: Home, supervisor: Holder) -> None:
        self._path = home.state
        self._state = State(phase="starting", supervisor=supervisor, home=str(home.folder))
        self._is_due = False
        self._write()

    @property
    def state(self) -> State:
        return self._state

    def set(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        self._write()

    def show(self, processes: Sequence[Condition]) -> None:
        """Take over how the processes fare; several changes of one moment make one write."""
        self._state = msgspec.structs.replace(self._state, processes=tuple(processes))
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._is_due = False
        write_private(self._path, msgspec.json.encode(self._state).decode())


def read(home: Home) -> State | None:
    """The last state that was written for this home, by a supervisor that may be gone."""
    try:
        return msgspec.json.decode(home.state.read_bytes(), type=State)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def running(home: Home) -> State | None:
    """The state of the supervisor that runs now, if one does."""
    holder = lock.holder(home.lock)
    state = read(home)
    return state if holder is not None and state is not None and state.supervisor == holder else None
