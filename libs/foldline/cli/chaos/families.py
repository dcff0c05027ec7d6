"""What must hold between runs: those inside steps and those around them, and what one took over. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import UNSET

from foldline.cli.chaos.finding import Finding
from foldline.domain import run_events as ev
from foldline.domain.inner import child_id

Histories = Mapping[str, Sequence[ev.RunEvent]]

_ENDS = {ev.RunCompleted: "completed", ev.RunFailed: "failed", ev.RunStopped: "stopped"}


def check_families(histories: Histories) -> Iterator[Finding]:
    for run_id, history in histories.items():
        yield from _children(run_id, history, histories)
        yield from _reuses(run_id, history, histories)


def _children(run_id: str, history: Sequence[ev.RunEvent], histories: Histories) -> Iterator[Finding]:
    """Each run inside a step was wanted once, exists, and its end was taken in once, as it was."""
    started: set[str] = set()
    ended: set[str] = set()
    for event in history:
        if isinstance(event, ev.ChildStarted):
            child = child_id(run_id, event.step, event.attempt, event.index)
            if child in started:
                yield Finding(child, "WANTED_TWICE", f"by {event.step}")
            started.add(child)
            if child not in histories:
                yield Finding(child, "LOST", f"{event.step} began it, and the ledger has nothing of it")
        elif isinstance(event, ev.ChildEnded):
            child = child_id(run_id, event.step, event.attempt, event.index)
            if child in ended or child not in started:
                yield Finding(child, "TAKEN_IN_TWICE", f"by {event.step}")
            ended.add(child)
            status = _status(histories.get(child, ()))
            if status != event.status:
                yield Finding(child, "CHILD_DIFFERS", f"it is {status}, and {event.step} has {event.status}")


def _reuses(run_id: str, history: Sequence[ev.RunEvent], histories: Histories) -> Iterator[Finding]:
    """What was taken over was committed by the attempt that it is said to be of."""
    for event in history:
        if not isinstance(event, ev.StepReused) or event.reuse.run_id not in histories:
            continue
        given = [
            one.outputs
            for one in histories[event.reuse.run_id]
            if isinstance(one, ev.AttemptSucceeded)
            and (one.step, one.attempt) == (event.reuse.step, event.reuse.attempt)
        ]
        if given != [event.reuse.outputs]:
            source = f"attempt {event.reuse.attempt} of {event.reuse.step} of run {event.reuse.run_id}"
            yield Finding(run_id, "REUSED_WHAT_IS_NOT", f"{event.step} took over what {source} did not give")


def _status(history: Sequence[ev.RunEvent]) -> str:
    ends = [_ENDS[type(one)] for one in history if type(one) in _ENDS]
    return ends[-1] if ends else "open"


def result_of(event: ev.RunCompleted, name: str) -> object:
    """The value of an output that travelled in the event."""
    given = event.outputs.get(name)
    return UNSET if given is None else given.value
