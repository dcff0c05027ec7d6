from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.wire.mirrors import MIRRORS
from tests.unit.wire.values import structs

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import RegistryEvent, WorkspaceCreated
from foldline.domain.run_events import Event, RetryScheduled, RunEvent, StepSkipped
from foldline.domain.schedule_events import ScheduleEvent
from foldline.wire import events

EVENTS = [(cls, proto) for cls, proto in MIRRORS if issubclass(cls, Event)]
ids = [cls.__name__ for cls, _ in EVENTS]


def test_every_fact_has_a_codec() -> None:
    members = {*get_args(RunEvent), *get_args(RegistryEvent), *get_args(ScheduleEvent)}

    assert set(events.TYPES.values()) == members
    assert {cls.__name__ for cls in members} == set(events.TYPES)


def test_every_struct_that_is_an_event_is_in_one_of_the_unions() -> None:
    declared = {cls for cls in _subclasses(Event) if cls.__module__.startswith("foldline.domain.")}

    assert declared == set(events.TYPES.values())


@pytest.mark.parametrize(("cls", "proto"), EVENTS, ids=ids)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_was_encoded_is_decoded(cls: type[Event], proto: Any, data: st.DataObject) -> None:
    event = data.draw(structs(cls, proto.DESCRIPTOR))

    type_, payload = events.encode(event)

    assert type_ == cls.__name__
    assert events.decode(type_, payload) == event


def test_encoding_is_stable_so_that_a_hash_means_something() -> None:
    event = RetryScheduled(step="train", attempt=2, at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC))

    assert events.encode(event) == (
        "RetryScheduled",
        '{"step":"train","attempt":2,"at":"2026-01-02T03:04:05.000006Z"}',
    )


def test_an_unknown_type_stops_the_reader() -> None:
    with pytest.raises(FoldlineError) as caught:
        events.decode("StepTeleported", "{}")

    assert caught.value.kind is Kind.INVALID
    assert caught.value.reason == "UNKNOWN_EVENT_TYPE"


@pytest.mark.parametrize("payload", ["", "nonsense", "{}", '{"step": 1, "reason": "guard"}', "[]"])
def test_a_payload_that_is_not_the_event_stops_the_reader(payload: str) -> None:
    with pytest.raises(FoldlineError) as caught:
        events.decode("StepSkipped", payload)

    assert caught.value.reason == "EVENT_UNREADABLE"


def test_a_field_that_a_newer_writer_added_does_no_harm() -> None:
    event = events.decode("StepSkipped", '{"step":"a","reason":"guard","colour":"blue"}')

    assert event == StepSkipped(step="a", reason="guard")


def test_an_old_version_is_lifted_step_by_step() -> None:
    def second(payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "WorkspaceMade", {"workspace": payload["name"]}

    def third(payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "WorkspaceCreated", {**payload, "title": "untitled"}

    event = events.decode(
        "WorkspaceBorn", '{"name":"lab"}', {"WorkspaceBorn": second, "WorkspaceMade": third}
    )

    assert event == WorkspaceCreated(workspace="lab", title="untitled")


def _subclasses(cls: type[Event]) -> set[type[Event]]:
    return {each for sub in cls.__subclasses__() for each in (sub, *_subclasses(sub))}
