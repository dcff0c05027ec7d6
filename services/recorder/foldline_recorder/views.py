"""How records look to callers. The structs mirror the messages of recorder_service.proto field for field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.domain.artifacts import Artifact
from foldline.domain.failures import Failure
from foldline.domain.inner import child_id
from foldline.domain.relations import Origin, Parent
from foldline.domain.run import AttemptState, RunState, StepState
from foldline.domain.spec import Json
from foldline.wire import messages
from foldline_recorder.records import Record

BRIEF_VALUE_BYTES = 1024
"""Longer values of outputs are left out of lists, and of answers that would become too large."""

STEPS_BYTES = 16 * 1024 * 1024
"""Larger answers come without the long values of outputs."""

CHILDREN_SHOWN = 100


class RunView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    run_id: str
    workspace: str
    workflow: str
    release: str
    region: str
    status: str
    parameters: dict[str, Json] = {}
    version: int
    step_counts: dict[str, int] = {}
    failure: Failure | None = None
    outputs: dict[str, Artifact] = {}
    started_by: str = ""
    create_time: datetime
    end_time: datetime | None = None
    parent: Parent | UnsetType = UNSET
    origin: Origin | UnsetType = UNSET
    priority: int = 0


class AttemptView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    number: int
    status: str
    executor: str
    failure: Failure | None = None
    schedule_time: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None
    max_rss_bytes: int = 0
    log_lines: int = 0
    reads: tuple[str, ...] = ()
    fraction: float = 0.0
    message: str = ""
    checkpoint: Artifact | None = None


class ChildrenView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    total: int = 0
    started: int = 0
    open: int = 0
    succeeded: int = 0
    failed: int = 0
    run_ids: tuple[str, ...] = ()
    items: int = 0


class RunStepView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    kind: str
    status: str
    attempts: tuple[AttemptView, ...] = ()
    outputs: dict[str, Artifact] = {}
    note: str = ""
    failure: Failure | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    metrics: dict[str, float] = {}
    children: ChildrenView | None = None
    reused_from: str = ""
    asked: tuple[str, ...] = ()
    deadline: datetime | None = None


def view_run(record: Record) -> RunView:
    state = record.state
    created = state.created
    counts = Counter(step.status for step in state.steps)
    return RunView(
        run_id=created.run_id,
        workspace=created.workspace,
        workflow=created.workflow,
        release=created.release,
        region=created.region,
        status=state.status,
        parameters=_parameters(state),
        version=state.version,
        step_counts=dict(sorted(counts.items())),
        failure=state.failure,
        outputs=state.outputs,
        started_by=record.started_by,
        create_time=state.created_at,
        end_time=state.ended_at,
        parent=created.parent,
        origin=created.origin,
        priority=created.priority,
    )


def _parameters(state: RunState) -> dict[str, Json]:
    """As they count now. The items of a map's child are its input, and too many to be shown."""
    created = state.created
    if not created.items:
        return state.parameters
    declared = {one.name for one in created.graph.parameters}
    return {
        name: value
        for name, value in state.parameters.items()
        if name in created.parameters or name in declared
    }


def view_step(run_id: str, step: StepState) -> RunStepView:
    return RunStepView(
        name=step.name,
        kind=step.kind,
        status=step.status,
        attempts=tuple(map(_view_attempt, step.attempts)),
        outputs=step.outputs,
        note=step.note,
        failure=step.failure,
        start_time=step.started_at,
        end_time=step.ended_at,
        metrics=step.metrics,
        children=_view_children(run_id, step),
        reused_from=step.reused_from,
        asked=step.asked,
        deadline=step.deadline,
    )


def _view_children(run_id: str, step: StepState) -> ChildrenView | None:
    """Of the newest attempt. Their ids follow from the step's, so none has to be remembered."""
    children = step.children
    if children is None:
        return None
    attempt = step.attempts[-1].number
    newest = range(children.started - 1, max(-1, children.started - 1 - CHILDREN_SHOWN), -1)
    return ChildrenView(
        total=len(children.sizes) or children.started,
        started=children.started,
        open=len(children.open),
        succeeded=children.succeeded,
        failed=children.failed,
        run_ids=tuple(child_id(run_id, step.name, attempt, index) for index in newest),
        items=sum(children.sizes),
    )


def _view_attempt(attempt: AttemptState) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        status=attempt.status,
        executor=attempt.executor,
        failure=attempt.failure,
        schedule_time=attempt.scheduled_at,
        start_time=attempt.started_at,
        end_time=attempt.ended_at,
        max_rss_bytes=attempt.max_rss_bytes,
        log_lines=attempt.log_lines,
        reads=attempt.reads,
        fraction=attempt.fraction,
        message=attempt.message,
        checkpoint=attempt.checkpoint,
    )


def brief_run(view: RunView) -> RunView:
    """What a list says of a run: without long values of outputs and without the traceback."""
    outputs = {
        name: replace(artifact, value=UNSET) if artifact.size_bytes > BRIEF_VALUE_BYTES else artifact
        for name, artifact in view.outputs.items()
    }
    failure = None if view.failure is None else replace(view.failure, traceback="")
    return replace(view, outputs=outputs, failure=failure)


def run_message(record: Record) -> pb.Run:
    return messages.to_message(view_run(record), pb.Run)


def step_messages(record: Record, steps: Iterable[StepState]) -> list[pb.RunStep]:
    """Steps of the record's run, as many as may be asked for."""
    run_id = record.state.created.run_id
    found = [messages.to_message(view_step(run_id, step), pb.RunStep) for step in steps]
    slim_steps(found, STEPS_BYTES)
    return found


def slim_steps(steps: Iterable[pb.RunStep], limit: int) -> None:
    """Leave long values out of the outputs where the steps together are larger than `limit` bytes.

    What is left out is still there to be read: an artifact keeps its digest, ReadArtifact has the bytes.
    """
    steps = list(steps)
    if sum(step.ByteSize() for step in steps) <= limit:
        return
    for step in steps:
        for artifact in step.outputs.values():
            if artifact.size_bytes > BRIEF_VALUE_BYTES:
                artifact.ClearField("value")
