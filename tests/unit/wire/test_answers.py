"""What the scheduler's RPCs answer with is said by structs of the domain, field for field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from google.protobuf.message import Message

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.domain.outlook import PlannedStep
from foldline.domain.waiting import WaitingStep
from foldline.wire import messages

ANSWERS: list[tuple[msgspec.Struct, type[Message]]] = [
    (
        WaitingStep(
            run_id="r.each.1.0",
            step="s",
            reason="LIMIT",
            message="workflow w/f has 2 of 2 attempts active",
            since=datetime(2026, 1, 2, 12, tzinfo=UTC),
        ),
        pb.WaitingStep,
    ),
    (WaitingStep(run_id="r", step="s", reason="UPSTREAM", message="it waits for a"), pb.WaitingStep),
    (
        PlannedStep(step="s", action="run", reason="input rows is 20", items_reused=3, items_run=2),
        pb.PlannedStep,
    ),
    (PlannedStep(step="s", action="reuse"), pb.PlannedStep),
]
every_answer = pytest.mark.parametrize(("value", "proto"), ANSWERS)


@every_answer
def test_an_answer_has_the_fields_of_its_message(value: msgspec.Struct, proto: Any) -> None:
    assert set(value.__struct_fields__) == {field.name for field in proto.DESCRIPTOR.fields}


@every_answer
def test_an_answer_survives_the_way_to_its_message_and_back(value: msgspec.Struct, proto: Any) -> None:
    message = proto.FromString(messages.to_message(value, proto).SerializeToString())

    assert messages.from_message(message, type(value)) == value
