"""What one may ask of a run. Imperative; `decide` answers with events or refuses."""

from __future__ import annotations

from msgspec import Struct

from foldline.domain.run_events import RunCreated
from foldline.domain.work import Report


class CreateRun(Struct, frozen=True):
    """Open the run. The fact is complete already: the registry resolved it."""

    created: RunCreated


class ScheduleSteps(Struct, frozen=True):
    """Give the next attempt of each step to an executor session. Steps that are not ready are left out."""

    assignments: tuple[tuple[str, str], ...]


class ReceiveReport(Struct, frozen=True):
    """An executor says what became of an attempt. `jitter` in [0, 1) spreads a retry's delay."""

    report: Report
    jitter: float = 0.5


class LoseAttempts(Struct, frozen=True):
    """The executor session is gone: every attempt it held is lost."""

    session: str
    jitter: float = 0.5


class RequestStop(Struct, frozen=True):
    reason: str = ""


Command = CreateRun | ScheduleSteps | ReceiveReport | LoseAttempts | RequestStop
