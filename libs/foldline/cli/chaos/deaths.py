"""Programs that ended by themselves: their logs tell a fault of their own from one that we did to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from foldline.cli.chaos.finding import Finding
from foldline.cli.stack.home import Home


class _Line(msgspec.Struct):
    """What counts of a line of a service's log."""

    event: str
    timestamp: datetime
    exception: str = ""


def died(home: Home, programs: Iterable[str], since: datetime) -> Iterator[Finding]:
    """A service that has served must not end by an error; one that finds no database at its start may."""
    for name in programs:
        is_serving = False
        for line in _lines(home, name):
            if line.event == "process_started":
                is_serving = False
            elif line.event == "server_started":
                is_serving = True
            elif line.event == "process_failed" and is_serving and line.timestamp >= since:
                yield Finding("-", "DIED", f"{name}: {_last(line.exception)}")


def _lines(home: Home, name: str) -> Iterator[_Line]:
    log = home.log(name)
    for text in log.read_bytes().splitlines() if log.exists() else ():
        try:
            yield msgspec.json.decode(text, type=_Line)
        except msgspec.MsgspecError:
            continue  # of something else that writes there


def _last(exception: str) -> str:
    """The line of a traceback that says what happened, without the frame of exception groups."""
    said = [line for line in exception.splitlines() if line.strip("+-| ")]
    return said[-1].strip("| ") if said else "it did not say why"
