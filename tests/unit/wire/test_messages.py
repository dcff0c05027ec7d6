from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.wire.values import json_values, texts

from foldline.api.event.v1 import artifact_pb2, run_events_pb2
from foldline.api.recorder.v1 import recorder_service_pb2
from foldline.api.workflow.v1 import workflow_pb2
from foldline.domain.artifacts import Artifact
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run_events import RunFailed, StepStopped
from foldline.domain.spec import Binding, Expression, Output, Parameter, Step
from foldline.wire import messages


@given(values=st.dictionaries(texts, json_values, max_size=4))
def test_a_dict_survives_the_way_through_a_struct(values: dict[str, object]) -> None:
    assert messages.from_struct(messages.to_struct(values)) == values


@given(values=st.dictionaries(texts, json_values, max_size=4))
def test_a_struct_is_what_the_proto_library_makes_of_the_same_json(values: dict[str, object]) -> None:
    assert messages.to_struct(values) == json_format.ParseDict(values, Struct())


def test_whole_numbers_come_back_as_int() -> None:
    values = messages.from_struct(messages.to_struct({"epochs": 3, "rate": 0.5, "flag": True}))

    assert {name: type(value) for name, value in values.items()} == {
        "epochs": int,
        "rate": float,
        "flag": bool,
    }


def test_numbers_that_json_does_not_have_become_null() -> None:
    assert messages.from_struct(messages.to_struct({"loss": math.nan, "bound": math.inf})) == {
        "loss": None,
        "bound": None,
    }


def test_a_whole_number_beyond_the_exact_range_does_not_break_the_page() -> None:
    value = messages.from_struct(messages.to_struct({"seed": 2**60 + 1}))["seed"]

    assert value == float(2**60)


def test_null_as_a_value_is_not_the_same_as_no_value() -> None:
    with_null = messages.to_message(Parameter(name="a", type="json", default=None), workflow_pb2.Parameter)
    without = messages.to_message(Parameter(name="a", type="json"), workflow_pb2.Parameter)

    assert with_null.HasField("default")
    assert not without.HasField("default")
    assert messages.from_message(with_null, Parameter).default is None
    assert messages.from_message(without, Parameter).is_required


def test_bounds_of_zero_are_kept() -> None:
    bounded = Parameter(name="a", type="int", minimum=0.0)

    message = messages.to_message(bounded, workflow_pb2.Parameter)

    assert message.HasField("minimum")
    assert messages.from_message(message, Parameter) == bounded


def test_an_expression_nests_as_deep_as_it_likes() -> None:
    expression = Expression(op="==", left=Binding(parameter="a"), right=Binding(value=1))
    for _ in range(20):
        expression = Expression(op="not", terms=(expression,))
    step = Step(name="ask", kind="condition", condition=expression)

    assert messages.from_message(messages.to_message(step, workflow_pb2.Step), Step) == step


def test_an_empty_but_present_message_stays_present() -> None:
    artifact = Artifact(digest="sha256:00", type="json", encoding="json", value={})

    message = messages.to_message(artifact, artifact_pb2.Artifact)

    assert message.HasField("value")
    assert messages.from_message(message, Artifact).value == {}


def test_a_missing_required_part_is_refused_by_name() -> None:
    with pytest.raises(FoldlineError) as caught:
        messages.from_message(run_events_pb2.RunFailed(step="a"), RunFailed)

    assert caught.value.kind is Kind.INVALID
    assert caught.value.reason == "MESSAGE_INVALID"
    assert "failure" in caught.value.message


def test_a_scalar_that_was_not_said_gets_the_structs_own_default() -> None:
    assert messages.from_message(workflow_pb2.Output(name="a"), Output) == Output(name="a", type="any")


def test_a_word_outside_of_a_closed_set_is_refused() -> None:
    with pytest.raises(FoldlineError, match="kind"):
        messages.from_message(workflow_pb2.Step(name="a", kind="teleport"), Step)


def test_a_field_that_the_message_does_not_have_is_a_bug_and_says_so() -> None:
    with pytest.raises(TypeError, match=r"foldline\.api\.event\.v1\.RunStopped has no field step"):
        messages.to_message(StepStopped(step="a"), run_events_pb2.RunStopped)


def test_a_dict_with_times_and_gaps_fills_a_message() -> None:
    at = datetime(2026, 5, 6, 7, 8, 9, 123456, UTC)

    attempt = messages.to_message(
        {"number": 1, "start_time": at, "end_time": None, "failure": None}, recorder_service_pb2.Attempt
    )

    assert attempt.start_time.ToDatetime(tzinfo=UTC) == at
    assert not attempt.HasField("end_time")
    assert not attempt.HasField("failure")


def test_an_unset_value_reads_as_null() -> None:
    assert messages.from_struct(Struct(fields={"a": Value()})) == {"a": None}
