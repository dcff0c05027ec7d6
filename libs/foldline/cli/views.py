"""A run as the CLI shows it, whether it ran here or on an installation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from foldline.domain.artifacts import Artifact
from foldline.domain.failures import Failure
from foldline.domain.spec import Json

if TYPE_CHECKING:
    from foldline.api.recorder.v1 import recorder_service_pb2 as pb
    from foldline.domain.run import Children, RunState, StepState


class StepView(msgspec.Struct, kw_only=True):
    name: str
    kind: str = "function"
    status: str = "waiting"
    attempts: int = 0
    note: str = ""
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
            step.name: StepView(
                name=step.name,
                kind=step.kind,
                status=step.status,
                attempts=len(step.attempts),
                note=_note(step),
                failure=step.failure,
                outputs=step.outputs,
                start_time=step.started_at,
                end_time=step.ended_at,
            )
            for step in state.steps
        },
    )


def _note(step: StepState) -> str:
    """What there is to say of a step now: how far it is, while it runs."""
    if step.status != "running" or not step.attempts:
        return step.note
    if step.children is not None:
        return _counts(step.children)
    attempt = step.attempts[-1]
    return f"{attempt.fraction:.0%} {attempt.message}".rstrip() if attempt.fraction else step.note


def _counts(children: Children) -> str:
    if not children.sizes:
        return f"run {children.started} inside it" if children.started > 1 else ""
    failed = f", {children.failed} failed" if children.failed else ""
    return f"{children.succeeded + children.failed} of {sum(children.sizes)} items{failed}"


def of_messages(run: pb.Run, steps: Iterable[pb.RunStep], before: RunView | None = None) -> RunView:
    """The view of what the recorder answers; steps that it does not repeat are taken from `before`."""
    from foldline.wire import messages

    known = dict(before.steps) if before else {}
    for step in steps:
        plain = messages.to_dict(step)
        plain["attempts"] = len(step.attempts)
        known[step.name] = msgspec.convert(plain, StepView)
    view = msgspec.convert(messages.to_dict(run), RunView)
    view.steps = known
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
