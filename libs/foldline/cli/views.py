"""A run as the CLI shows it, whether it ran here or on an installation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from foldline.domain.artifacts import Artifact
from foldline.domain.failures import Failure
from foldline.domain.relations import Origin, Parent
from foldline.domain.spec import Json, Wait

if TYPE_CHECKING:
    from foldline.api.recorder.v1 import recorder_service_pb2 as pb
    from foldline.domain.run import Children, RunState, StepState
    from foldline.domain.spec import Graph, Step


class ChildrenView(msgspec.Struct, kw_only=True):
    """The runs inside a step, counted; of a map `succeeded` and `failed` are items."""

    total: int = 0
    started: int = 0
    open: int = 0
    succeeded: int = 0
    failed: int = 0
    items: int = 0


class StepView(msgspec.Struct, kw_only=True):
    """`fraction` and `message` are the newest attempt's; `question` is what a wait step asks, where known."""

    name: str
    kind: str = "function"
    status: str = "waiting"
    attempts: int = 0
    fraction: float = 0.0
    message: str = ""
    note: str = ""
    metrics: dict[str, float] = {}
    children: ChildrenView | None = None
    reused_from: str = ""
    asked: tuple[str, ...] = ()
    deadline: datetime | None = None
    question: Wait | None = None
    failure: Failure | None = None
    outputs: dict[str, Artifact] = {}
    start_time: datetime | None = None
    end_time: datetime | None = None


class RunView(msgspec.Struct, kw_only=True):
    """`steps` keeps the graph's order."""

    run_id: str = ""
    workflow: str = ""
    status: str = "created"
    version: int = 0
    release: str = ""
    region: str = ""
    started_by: str = ""
    parameters: dict[str, Json] = {}
    outputs: dict[str, Artifact] = {}
    failure: Failure | None = None
    create_time: datetime | None = None
    end_time: datetime | None = None
    parent: Parent | None = None
    origin: Origin | None = None
    priority: int = 0
    steps: dict[str, StepView] = {}


def of_state(state: RunState) -> RunView:
    """The view of a run's state."""
    return RunView(
        run_id=state.created.run_id,
        workflow=state.created.workflow,
        status=state.status,
        version=state.version,
        parameters=state.created.parameters,
        outputs=state.outputs,
        failure=state.failure,
        create_time=state.created_at,
        end_time=state.ended_at,
        steps={
            step.name: _of_step(step, declared)
            for step, declared in zip(state.steps, state.plan.graph.steps, strict=True)
        },
    )


def _of_step(step: StepState, declared: Step) -> StepView:
    newest = step.attempts[-1] if step.attempts else None
    return StepView(
        name=step.name,
        kind=step.kind,
        status=step.status,
        attempts=len(step.attempts),
        fraction=newest.fraction if newest else 0.0,
        message=newest.message if newest else "",
        note=step.note,
        metrics=step.metrics,
        children=_of_children(step.children),
        reused_from=step.reused_from,
        asked=step.asked,
        deadline=step.deadline,
        question=None if declared.wait is msgspec.UNSET else declared.wait,
        failure=step.failure,
        outputs=step.outputs,
        start_time=step.started_at,
        end_time=step.ended_at,
    )


def _of_children(children: Children | None) -> ChildrenView | None:
    if children is None:
        return None
    return ChildrenView(
        total=len(children.sizes) or children.started,
        started=children.started,
        open=len(children.open),
        succeeded=children.succeeded,
        failed=children.failed,
        items=sum(children.sizes),
    )


def of_messages(run: pb.Run, steps: Iterable[pb.RunStep], before: RunView | None = None) -> RunView:
    """The view of what the recorder answers; steps that it does not repeat are taken from `before`."""
    from foldline.wire import messages

    known = dict(before.steps) if before else {}
    for step in steps:
        plain = messages.to_dict(step)
        plain["attempts"] = len(step.attempts)
        if step.attempts:
            plain |= {"fraction": step.attempts[-1].fraction, "message": step.attempts[-1].message}
        known[step.name] = msgspec.convert(plain, StepView)
        if before is not None and step.name in before.steps:
            known[step.name].question = before.steps[step.name].question
    view = msgspec.convert(messages.to_dict(run), RunView)
    view.steps = known
    return view


def with_questions(view: RunView, graph: Graph) -> RunView:
    """The view, in which wait steps know what they ask."""
    for declared in graph.steps:
        if declared.name in view.steps and declared.wait is not msgspec.UNSET:
            view.steps[declared.name].question = declared.wait
    return view


def artifact(found: Artifact) -> str:
    """An output in a few words: the value where it is small, else what it is and how large."""
    if found.value is not msgspec.UNSET:
        text = json_text(found.value)
        return text if len(text) <= 100 else f"{text[:99]}…"
    facts = ", ".join(f"{name} {_fact(value)}" for name, value in sorted(found.summary.items()))
    size = amount(found.size_bytes)
    return f"{found.type}, {size}" + (f" ({facts})" if facts else "")


def json_text(value: Json) -> str:
    """A value in one line. A protobuf Struct forgets the order of its keys, so they are put in one."""
    return msgspec.json.encode(value, order="sorted").decode()


def _fact(value: Json) -> str:
    if isinstance(value, list):
        return "×".join(map(str, value)) if all(isinstance(item, int) for item in value) else f"{len(value)}"
    return str(value)


def seconds(value: float) -> str:
    """A duration for people."""
    if value < 10:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def amount(size: int) -> str:
    """A number of bytes for people."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def moment(time: datetime | None) -> str:
    """A time of day with the date, in the zone of the person."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""


def clock_time(time: datetime) -> str:
    return time.astimezone().strftime("%H:%M:%S")


def duration(start: datetime | None, end: datetime | None) -> str:
    return seconds((end - start).total_seconds()) if start and end else ""
