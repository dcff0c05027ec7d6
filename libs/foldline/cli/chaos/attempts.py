"""What must hold of the attempts of one run, and of what they gave. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from foldline.cli.chaos.finding import Finding
from foldline.domain import run_events as ev
from foldline.domain.artifacts import content_of
from foldline.domain.failures import INFRASTRUCTURE_KINDS

Holds = Callable[[str], bool]
"""Is there an artifact of this digest, and are its bytes what the digest says?"""


class _Attempts:
    """What is under way of each step. An attempt is scheduled once, started at most once, by the session that
    it was given to, and ended once; none begins before the one before it has ended; none succeeded without
    having been called.
    """

    def __init__(self, run_id: str, called: Mapping[str, int]) -> None:
        self.run_id = run_id
        self.called = called
        self.open: dict[str, int] = {}
        self.last: Counter[str] = Counter()
        self.sessions: dict[tuple[str, int], str] = {}
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
        else:
            self.sessions[event.step, event.attempt] = event.executor

    def start(self, event: ev.AttemptStarted) -> Iterator[Finding]:
        what = f"attempt {event.attempt} of {event.step}"
        if (event.step, event.attempt) in self.started:
            yield Finding(self.run_id, "STARTED_TWICE", what)
        owner = self.sessions.get((event.step, event.attempt))
        if owner != event.executor or self.open.get(event.step) != event.attempt:
            problem = f"{what} was started by {event.executor}, and belongs to {owner}"
            yield Finding(self.run_id, "NO_VALID_FENCE", problem)
        self.started.add((event.step, event.attempt))

    def end(self, event: ev.AttemptSucceeded | ev.AttemptFailed) -> Iterator[Finding]:
        what = f"attempt {event.attempt} of {event.step}"
        if self.open.pop(event.step, None) != event.attempt:
            yield Finding(self.run_id, "NO_VALID_FENCE", f"{what} ended, and was not under way")
        if not isinstance(event, ev.AttemptSucceeded) or event.step in self.inner:
            return
        owner = self.sessions.get((event.step, event.attempt))
        if owner != event.executor:
            problem = f"{what} was carried out by {event.executor}, and belongs to {owner}"
            yield Finding(self.run_id, "NO_VALID_FENCE", problem)
        if not self.called.get(f"{self.run_id}:{event.step}:{event.attempt}"):
            yield Finding(self.run_id, "NEVER_CALLED", what)

    def close(self) -> Iterator[Finding]:
        for step, attempt in self.open.items():
            yield Finding(self.run_id, "NEVER_ENDED", f"attempt {attempt} of {step}")


def check_attempts(
    run_id: str, history: Sequence[ev.RunEvent], called: Mapping[str, int]
) -> Iterator[Finding]:
    """`called` has the witness' files by name."""
    attempts = _Attempts(run_id, called)
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


def check_outputs(run_id: str, history: Sequence[ev.RunEvent], holds: Holds) -> Iterator[Finding]:
    """Every output is in the store (or whole in the event), and belongs to one attempt."""
    owners: dict[tuple[str, str], int] = {}
    for event in history:
        if not isinstance(event, ev.AttemptSucceeded):
            continue
        for name, artifact in event.outputs.items():
            if owners.setdefault((event.step, name), event.attempt) != event.attempt:
                yield Finding(run_id, "COMMITTED_TWICE", f"{event.step}.{name}")
            if content_of(artifact) is None and not holds(artifact.digest):
                problem = f"{event.step}.{name} of attempt {event.attempt} is {artifact.digest}"
                yield Finding(run_id, "NOT_IN_STORE", problem)


def check_unsafe(run_id: str, history: Sequence[ev.RunEvent], called: Mapping[str, int]) -> Iterator[Finding]:
    """An unsafe step is called again only after somebody has said so, and held only for a loss."""
    created = history[0]
    unsafe = (
        {one.name for one in created.graph.steps if one.effects == "unsafe"}
        if isinstance(created, ev.RunCreated)
        else set()
    )
    calls: Counter[str] = Counter(
        step for found, step, _ in map(_parts, called) if found == run_id and step in unsafe
    )
    allowed: Counter[str] = Counter(one.step for one in history if isinstance(one, ev.StepRetried))
    for step, number in calls.items():
        if number > 1 + allowed[step]:
            problem = f"{step} is unsafe, was called {number} times, and allowed again {allowed[step]} times"
            yield Finding(run_id, "UNSAFE_AGAIN", problem)
    lost: set[str] = set()
    for event in history:
        if isinstance(event, ev.AttemptFailed) and event.failure.kind in INFRASTRUCTURE_KINDS:
            lost.add(event.step)
        elif isinstance(event, ev.StepHeld) and event.step not in lost:
            yield Finding(run_id, "HELD_WITHOUT_LOSS", f"{event.step}: {event.failure.message}")


def _parts(name: str) -> tuple[str, str, str]:
    """Run, step and attempt of a file of the witness."""
    run_id, _, rest = name.partition(":")
    step, _, attempt = rest.partition(":")
    return run_id, step, attempt if attempt.isdecimal() else ""
