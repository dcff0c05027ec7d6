"""Short graphs and histories for tests of the run core."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from foldline.domain.artifacts import Artifact
from foldline.domain.commands import Command, CreateRun, ReceiveReport, ScheduleSteps
from foldline.domain.decide import decide
from foldline.domain.evolve import fold
from foldline.domain.failures import Failure
from foldline.domain.run import RunState, ready
from foldline.domain.run_events import RunCreated, RunEvent
from foldline.domain.spec import (
    Binding,
    Expression,
    Function,
    Graph,
    Guard,
    Output,
    OutputRef,
    Parameter,
    Step,
)
from foldline.domain.work import AttemptKey, Report

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = "0192f0c4-0000-7000-8000-000000000001"


def output(step: str, *path: str) -> Binding:
    return Binding(output=OutputRef(step=step, name="output", path=path))


def function(name: str, *needs: str, **changes: Any) -> Step:
    """A step of one output that takes the output of every step in `needs`."""
    return Step(
        name=name,
        kind="function",
        function=Function(module="m", name=name),
        inputs={f"from_{need}": output(need) for need in needs},
        outputs=(Output(name="output"),),
        **changes,
    )


def condition(name: str, left: Binding, op: Any, right: Any, **changes: Any) -> Step:
    expression = Expression(op=op, left=left, right=Binding(value=right))
    return Step(name=name, kind="condition", condition=expression, **changes)


def guarded(step: Step, by: str, branch: bool) -> Step:
    return replace(step, guards=(*step.guards, Guard(step=by, branch=branch)))


def graph(*steps: Step, parameters: tuple[Parameter, ...] = (), **changes: Any) -> Graph:
    return Graph(name="example", steps=steps, parameters=parameters, **changes)


def artifact(value: Any = None) -> Artifact:
    return Artifact(digest="sha256:00", type="json", encoding="json", size_bytes=4, value=value)


def report(step: str, attempt: int, kind: str, *, session: str = "ex", **changes: Any) -> Report:
    key = AttemptKey(run_id=RUN, step=step, attempt=attempt)
    return Report(key=key, session=session, kind=kind, **changes)


def failure(kind: str = "user", **changes: Any) -> Failure:
    return Failure(kind=kind, reason="STEP_RAISED", message="it broke", **changes)


class Game:
    """A run that is played by hand: every command is decided, folded and remembered."""

    def __init__(self, declared: Graph, parameters: dict[str, Any] | None = None) -> None:
        self.now = NOW
        self.history: list[tuple[RunEvent, datetime]] = []
        self.live: RunState | None = None
        created = RunCreated(
            run_id=RUN,
            workspace="w",
            workflow="f",
            release="sha256:1",
            region="local",
            graph=declared,
            parameters=parameters or {},
        )
        self.play(CreateRun(created))

    @property
    def state(self) -> RunState:
        assert self.live is not None
        return self.live

    def play(self, command: Command) -> list[str]:
        events = decide(self.live, command, self.now)
        self.history.extend((event, self.now) for event in events)
        self.live = fold(((event, self.now) for event in events), self.live)
        return [type(event).__name__ for event in events]

    def schedule(self, session: str = "ex") -> list[str]:
        """Give everything that is ready to one executor."""
        return self.play(ScheduleSteps(tuple((name, session) for name in ready(self.state, self.now))))

    def succeed(self, step: str, value: Any = None) -> list[str]:
        """Started, if that was not heard of yet, and then done."""
        attempt = len(self.state.step(step).attempts)
        self.play(ReceiveReport(report(step, attempt, "started")))
        done = report(step, attempt, "succeeded", outputs={"output": artifact(value)})
        return self.play(ReceiveReport(done))

    def fail(self, step: str, what: Failure | None = None) -> list[str]:
        attempt = len(self.state.step(step).attempts)
        return self.play(ReceiveReport(report(step, attempt, "failed", failure=what or failure())))

    def status(self, step: str) -> str:
        return self.state.step(step).status

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
