"""What must hold of the histories of all runs once nothing moves any more, whatever was done to the platform.

Believes the ledger, the artifact store and the witness alone. Pure: everything is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import cast

import msgspec
from msgspec import UNSET

from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact
from foldline.domain.errors import FoldlineError
from foldline.domain.evolve import fold
from foldline.eventstore import chain, facts
from foldline.eventstore.port import Recorded

Holds = Callable[[str], bool]
"""Is there an artifact of this digest, and are its bytes what the digest says?"""


class Finding(msgspec.Struct, frozen=True):
    """Something that must not be."""

    run_id: str
    rule: str
    problem: str

    def __str__(self) -> str:
        return f"{self.rule}: run {self.run_id}: {self.problem}"


def check(
    histories: Mapping[str, Sequence[Recorded]],
    expected: Mapping[str, int],
    witnessed: Iterable[str],
    holds: Holds,
) -> list[Finding]:
    """Everything that is wrong. `histories` by run id, the runs inside steps too; `expected` is the output
    `result` by the id of each run that was started; `witnessed` are the names of the witness' files.
    """
    seen = Counter(witnessed)
    findings = [
        one for run_id, events in histories.items() if events for one in _run(run_id, events, seen, holds)
    ]
    for run_id, result in expected.items():
        findings += _outcome(run_id, histories.get(run_id, ()), result)
    for name in seen:
        if name.endswith(":again"):
            run_id, step, attempt = name.removesuffix(":again").rsplit(":", 2)
            message = f"attempt {attempt} of step {step} was called twice"
            findings.append(Finding(run_id, "STARTED_TWICE", message))
    return findings


def _run(run_id: str, events: Sequence[Recorded], seen: Mapping[str, int], holds: Holds) -> Iterator[Finding]:
    flaw = chain.verify(events)
    if flaw is not None:
        yield Finding(run_id, "CHAIN", flaw.problem)
    try:
        history = [cast("ev.RunEvent", facts.decode(one)) for one in events]
        state = fold(zip(history, (one.time for one in events), strict=True))
    except FoldlineError as error:
        yield Finding(run_id, "ILLEGAL_HISTORY", error.message)
        return
    yield from _attempts(run_id, history, seen)
    yield from _committed(run_id, history, holds)
    if not state.is_final:
        waiting = ", ".join(f"{one.name} is {one.status}" for one in state.steps if not one.is_final)
        yield Finding(run_id, "STUCK", f"it is {state.status}: {waiting}"[:500])


class _Attempts:
    """What is under way of each step. An attempt is scheduled once, started at most once and ended once; none
    begins before the one before it has ended; none succeeded without having been called.
    """

    def __init__(self, run_id: str, seen: Mapping[str, int]) -> None:
        self.run_id = run_id
        self.seen = seen
        self.open: dict[str, int] = {}
        self.last: Counter[str] = Counter()
        self.started: set[tuple[str, int]] = set()
        self.inner: set[str] = set()  # steps that run as runs of their own, and are called by nobody

    def begin(self, event: ev.StepScheduled | ev.StepExpanded) -> Iterator[Finding]:
        what = f"attempt {event.attempt} of {event.step}"
        if event.step in self.open:
            yield Finding(self.run_id, "TWO_AT_ONCE", f"{what} beside attempt {self.open[event.step]}")
        if event.attempt <= self.last[event.step]:
            yield Finding(self.run_id, "NUMBERED_AGAIN", what)
        self.open[event.step] = self.last[event.step] = event.attempt
        if isinstance(event, ev.StepExpanded):
            self.inner.add(event.step)

    def start(self, event: ev.AttemptStarted) -> Iterator[Finding]:
        if (event.step, event.attempt) in self.started:
            yield Finding(self.run_id, "STARTED_TWICE", f"attempt {event.attempt} of {event.step}")
        self.started.add((event.step, event.attempt))

    def end(self, event: ev.AttemptSucceeded | ev.AttemptFailed) -> Iterator[Finding]:
        what = f"attempt {event.attempt} of {event.step}"
        if self.open.pop(event.step, None) != event.attempt:
            yield Finding(self.run_id, "NO_VALID_FENCE", f"{what} ended, and was not under way")
        is_call = isinstance(event, ev.AttemptSucceeded) and event.step not in self.inner
        if is_call and not self.seen.get(f"{self.run_id}:{event.step}:{event.attempt}"):
            yield Finding(self.run_id, "NEVER_CALLED", what)

    def close(self) -> Iterator[Finding]:
        for step, attempt in self.open.items():
            yield Finding(self.run_id, "NEVER_ENDED", f"attempt {attempt} of {step}")


def _attempts(run_id: str, history: Sequence[ev.RunEvent], seen: Mapping[str, int]) -> Iterator[Finding]:
    attempts = _Attempts(run_id, seen)
    for event in history:
        match event:
            case ev.StepScheduled() | ev.StepExpanded():
                yield from attempts.begin(event)
            case ev.AttemptStarted():
                yield from attempts.start(event)
            case ev.AttemptSucceeded() | ev.AttemptFailed():
                yield from attempts.end(event)
            case _:
                pass
    yield from attempts.close()


def _committed(run_id: str, history: Sequence[ev.RunEvent], holds: Holds) -> Iterator[Finding]:
    """Every output is in the store (or whole in the event), and belongs to one attempt."""
    owners: dict[tuple[str, str], int] = {}
    for event in history:
        if not isinstance(event, ev.AttemptSucceeded):
            continue
        for name, artifact in event.outputs.items():
            if owners.setdefault((event.step, name), event.attempt) != event.attempt:
                yield Finding(run_id, "COMMITTED_TWICE", f"{event.step}.{name}")
            # A short list of what a map gave is whole in the event, and nowhere else.
            is_whole = artifact.type == "list" and artifact.value is not UNSET
            if not is_whole and not holds(artifact.digest):
                problem = f"{event.step}.{name} of attempt {event.attempt} is {artifact.digest}"
                yield Finding(run_id, "NOT_IN_STORE", problem)


def _outcome(run_id: str, events: Sequence[Recorded], result: int) -> Iterator[Finding]:
    if not events:
        yield Finding(run_id, "LOST", "it was started, and the ledger has nothing of it")
        return
    # A report that came too late is recorded and ignored, also behind the end.
    ends = [one for one in events if one.type != "ReportIgnored"]
    last = facts.decode(ends[-1])
    if not isinstance(last, ev.RunCompleted):
        yield Finding(run_id, "WRONG_END", f"its last event is {ends[-1].type}")
        return
    given = last.outputs.get("result")
    value = given.value if isinstance(given, Artifact) else UNSET
    if value != result:
        yield Finding(run_id, "WRONG_RESULT", f"it is {value!r} instead of {result}")
