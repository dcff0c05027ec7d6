"""A large run that was never carried out: its events, as if it had been. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact
from foldline.domain.run_events import RunCreated, RunEvent
from foldline.domain.spec import Binding, Function, Graph, Output, OutputRef, Parameter, Step

LAYER = 100
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

History = list[tuple[RunEvent, datetime]]


def created(run_id: str, workspace: str, steps: int) -> RunCreated:
    return RunCreated(
        run_id=run_id,
        workspace=workspace,
        workflow="made",
        release="sha256:made",
        region="local",
        graph=graph(steps),
        parameters={"left": 1, "right": 1},
        bundle="sha256:bundle",
        environment="sha256:environment",
    )


def graph(steps: int) -> Graph:
    """Layers of a hundred steps. Each takes what two neighbours of the layer before gave; those of the first
    layer take a parameter, the left half another one than the right half.

    So another value on the left reaches more steps with every layer, and most of them in the end.
    """
    parameters = (Parameter(name="left", type="int"), Parameter(name="right", type="int"))
    return Graph(name="made", parameters=parameters, steps=tuple(_step(number) for number in range(steps)))


def _step(number: int) -> Step:
    layer, place = divmod(number, LAYER)
    if layer:
        above = ((layer - 1) * LAYER + place, (layer - 1) * LAYER + (place + 1) % LAYER)
        inputs = {f"x{one}": _output(name) for one, name in enumerate(above)}
    else:
        inputs = {"x0": Binding(parameter="left" if place < LAYER // 2 else "right")}
    return Step(
        name=f"s{number}",
        kind="function",
        function=Function(module="m", name="f"),
        inputs=inputs,
        outputs=(Output(name="output"),),
        code="sha256:code",
    )


def _output(number: int) -> Binding:
    return Binding(output=OutputRef(step=f"s{number}", name="output"))


def history(first: RunCreated) -> History:
    """Every step once, in order, to the end; a microsecond between two events."""
    events: list[RunEvent] = [first]
    for step in first.graph.steps:
        output = Artifact(digest=f"sha256:{step.name}", type="int", encoding="json", size_bytes=1, value=1)
        events += [
            ev.StepScheduled(step=step.name, attempt=1, executor="session"),
            ev.AttemptSucceeded(
                step=step.name, attempt=1, outputs={"output": output}, seconds=0.001, executor="session"
            ),
        ]
    events.append(ev.RunCompleted(workflow="made"))
    return [(event, BEGAN + timedelta(microseconds=place)) for place, event in enumerate(events)]
