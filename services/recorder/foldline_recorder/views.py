"""How records look to callers. The structs mirror the messages of recorder_service.proto field for field."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from foldline.api.event.v1.recorded_pb2 import RecordedEvent
from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.domain.artifacts import Artifact
from foldline.domain.failures import Failure
from foldline.domain.run import AttemptState, StepState
from foldline.domain.spec import Json
from foldline.eventstore.port import Recorded
from foldline.wire import messages
from foldline_recorder.records import Record

BRIEF_VALUE_BYTES = 1024
"""Longer values of outputs are left out of lists, and of answers that would become too large."""

STEPS_BYTES = 16 * 1024 * 1024
"""Larger answers come without the long values of outputs."""

EVENTS_AT_ONCE = 200

_json = msgspec.json.Decoder()


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
        parameters=created.parameters,
        version=state.version,
        step_counts=dict(sorted(counts.items())),
        failure=state.failure,
        outputs=state.outputs,
        started_by=record.started_by,
        create_time=state.created_at,
        end_time=state.ended_at,
    )


def view_step(step: StepState) -> RunStepView:
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


def step_messages(steps: Iterable[StepState]) -> list[pb.RunStep]:
    return [messages.to_message(view_step(step), pb.RunStep) for step in steps]


def event_message(recorded: Recorded) -> RecordedEvent:
    message = RecordedEvent(
        position=str(recorded.position),
        stream=recorded.stream,
        version=recorded.version,
        id=recorded.id,
        type=recorded.type,
        payload_json=recorded.payload,
        meta_json=recorded.meta,
        hash=recorded.hash.hex(),
    )
    message.time.FromDatetime(recorded.time)
    try:
        data = _json.decode(recorded.payload)
    except msgspec.DecodeError:
        return message  # somebody edited it; the verdict on the chain says so
    if isinstance(data, dict):
        message.data.CopyFrom(messages.to_struct(data))
    return message


async def event_messages(events: Sequence[Recorded]) -> list[RecordedEvent]:
    """Of a long history; lets others have their turn now and then."""
    found: list[RecordedEvent] = []
    for start in range(0, len(events), EVENTS_AT_ONCE):
        found += map(event_message, events[start : start + EVENTS_AT_ONCE])
        await asyncio.sleep(0)
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
