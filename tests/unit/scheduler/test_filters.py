"""CEL over CloudEvents: what fires, what is ignored and why, what may not be written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foldline.domain.errors import FoldlineError
from foldline.domain.schedule_events import TriggerSettings
from foldline.domain.triggers import Verdict
from foldline.wire import incoming
from foldline_scheduler.schedules import filters

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/shop",
    "type": "order.placed",
    "data": {"total": 250.5, "items": [{"name": "tea"}, {"name": "cup"}], "at": "2026-01-01T00:00:00Z"},
}


def judge(settings: TriggerSettings, event: object = EVENT) -> Verdict:
    body = event if isinstance(event, bytes) else msgspec.json.encode(event)
    return filters.judge(settings, body, "trigger:w/t")


def with_filter(expression: str) -> TriggerSettings:
    return TriggerSettings(workflow="f", filter=expression)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "event.type == 'order.placed'",
        "event.data.total > 100.0 && event.source.startsWith('/shop')",
        "has(event.data.total) && !has(event.data.discount)",
        "event.data.items.exists(item, item.name == 'tea')",
        "event.data.items.all(item, size(item.name) == 3)",
        "timestamp(event.data.at) < timestamp('2027-01-01T00:00:00Z')",
        "'map(' in ['map(', 'all(']",
    ],
)
def test_an_event_that_fits_may_fire(expression: str) -> None:
    settings = with_filter(expression)
    filters.check(settings)

    assert judge(settings) == Verdict(source="/shop", event_id="1", event_type="order.placed")


@pytest.mark.parametrize(
    ("expression", "reason", "words"),
    [
        ("event.type == 'other'", "filtered", "the filter is false"),
        ("event.data.discount > 5", "filter_failed", "discount"),
        ("event.data.total > 'much'", "filter_failed", ""),
        ("event.type", "filter_failed", "not true or false"),
        ("1 / 0 == 1", "filter_failed", "zero"),
    ],
)
def test_an_event_that_does_not_fit_is_ignored_with_the_reason(
    expression: str, reason: str, words: str
) -> None:
    verdict = judge(with_filter(expression))

    assert verdict.reason == reason
    assert words in verdict.message


def test_the_mapping_gives_the_values() -> None:
    settings = TriggerSettings(
        workflow="f",
        parameters={
            "total": "event.data.total",
            "first": "event.data.items[0]",
            "count": "size(event.data.items)",
            "at": "timestamp(event.data.at)",
            "vip": "event.data.total >= 100.0",
        },
    )
    filters.check(settings)

    assert judge(settings).values == {
        "total": 250.5,
        "first": {"name": "tea"},
        "count": 2,
        "at": "2026-01-01T00:00:00Z",
        "vip": True,
    }


def test_a_mapping_that_fails_names_the_parameter() -> None:
    verdict = judge(TriggerSettings(workflow="f", parameters={"x": "event.data.nothing"}))

    assert verdict.reason == "mapping_failed"
    assert verdict.message.startswith("parameter x: ")


def test_an_event_of_the_triggers_own_run_is_ignored() -> None:
    assert judge(with_filter(""), {**EVENT, "actor": "trigger:w/t"}).reason == "own"


def test_a_fact_about_a_run_says_which() -> None:
    fact = {**EVENT, "source": "/foldline/ledger", "subject": "run-r.each.1.0"}

    assert judge(with_filter(""), fact).run_id == "r.each.1.0"
    assert judge(with_filter(""), {**fact, "source": "/shop"}).run_id == ""
    assert judge(with_filter(""), {**fact, "subject": "trigger-w.t"}).run_id == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{not json",
        b"\xff\xfe",
        msgspec.json.encode({**EVENT, "specversion": "0.3"}),
        msgspec.json.encode({**EVENT, "id": ""}),
        msgspec.json.encode({**EVENT, "source": 7}),
        msgspec.json.encode({**EVENT, "id": "a\0b"}),
        msgspec.json.encode({**EVENT, "data": "x" * 70_000}),
        msgspec.json.encode({**EVENT, "data": list(range(2000))}),
        b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":'
        + b"[" * 20_000
        + b"]" * 20_000
        + b"}",
    ],
)
def test_what_is_no_event_is_ignored_as_unreadable(body: bytes) -> None:
    assert judge(with_filter(""), body).reason == "unreadable"


@pytest.mark.parametrize(
    "expression",
    [
        "event.",
        "1 +",
        "other.type == 'x'",
        "event.data.items.map(item, item.name).size() == 2",
        "event.data.items.filter(item, true).size() == 2",
        "event.data.items . map (item, item.name).size() == 2",
        "event.data.items.all(a, event.data.items.exists(b, a == b))",
        "(" * 300,
    ],
)
def test_what_is_no_expression_or_may_take_long_is_refused(expression: str) -> None:
    with pytest.raises(FoldlineError) as refusal:
        filters.check(with_filter(expression))

    assert refusal.value.reason == "ILLEGAL_EXPRESSION"


def test_an_event_in_binary_mode_is_the_same_as_in_structured_mode() -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/shop",
        "ce-type": "order.placed",
        "content-type": "application/json; charset=utf-8",
        "authorization": "Bearer secret",
    }

    found = incoming.parse(incoming.of_http(headers, msgspec.json.encode(EVENT["data"])))

    assert found == {**EVENT, "datacontenttype": "application/json"}
    whole = msgspec.json.encode(EVENT)
    assert incoming.of_http({"content-type": "application/cloudevents+json"}, whole) == whole
    with pytest.raises(FoldlineError, match="neither"):
        incoming.of_http({"content-type": "application/json"}, whole)
