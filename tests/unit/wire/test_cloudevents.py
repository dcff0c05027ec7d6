from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from foldline.domain.errors import FoldlineError
from foldline.wire import cloudevents

TIME = datetime(2026, 1, 2, 3, 4, 5, 600, UTC)


def _encode(meta: str = "{}", time: datetime = TIME, payload: str = '{"step":"a"}') -> bytes:
    return cloudevents.encode(
        id="0192", stream="run-1", version=7, type="StepFailed", time=time, payload=payload, meta=meta
    )


def test_a_fact_has_every_required_attribute_of_cloudevents() -> None:
    fact = json.loads(_encode())

    assert fact == {
        "specversion": "1.0",
        "id": "0192",
        "source": "/foldline/ledger",
        "type": "foldline.api.event.v1.StepFailed",
        "time": "2026-01-02T03:04:05.000600Z",
        "subject": "run-1",
        "sequence": "7",
        "datacontenttype": "application/json",
        "data": {"step": "a"},
    }


def test_who_and_why_travel_as_extension_attributes() -> None:
    fact = json.loads(_encode('{"actor":"ada","workspace":"lab","correlation":"c","trace":"00-1","x":1}'))

    assert (fact["actor"], fact["workspace"], fact["correlation"], fact["traceparent"]) == (
        "ada",
        "lab",
        "c",
        "00-1",
    )


def test_the_payload_goes_out_byte_for_byte() -> None:
    payload = '{"b":  1.0,"a":"\\u00e9"}'

    assert payload.encode() in _encode(payload=payload)


def test_times_go_out_in_utc() -> None:
    elsewhere = TIME.astimezone(timezone(timedelta(hours=5)))

    assert _encode(time=elsewhere) == _encode()


def test_a_reader_gets_back_what_was_written() -> None:
    fact = cloudevents.decode(_encode('{"actor":"ada"}'))

    assert (fact.subject, fact.sequence, fact.actor, bytes(fact.data)) == (
        "run-1",
        "7",
        "ada",
        b'{"step":"a"}',
    )


def test_what_is_not_a_fact_is_refused() -> None:
    with pytest.raises(FoldlineError) as caught:
        cloudevents.decode(b'{"specversion":"1.0"}')

    assert caught.value.reason == "MESSAGE_UNREADABLE"


def test_metadata_that_is_not_json_is_refused() -> None:
    with pytest.raises(FoldlineError) as caught:
        _encode(meta="nonsense")

    assert caught.value.reason == "META_UNREADABLE"
