"""A trigger: what it is told, what it makes of events, and on which subjects it may listen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from foldline.domain import schedule_events as ev
from foldline.domain import triggers
from foldline.domain.errors import FoldlineError
from foldline.domain.schedule_events import TriggerSettings
from foldline.domain.triggers import TriggerState, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = TriggerSettings(workflow="f", values={"x": 1}, parameters={"y": "event.data"})
CREATED = ev.TriggerCreated(workspace="w", trigger="t", settings=SETTINGS, secret_digest="00")


def state() -> TriggerState:
    return triggers.evolve(None, CREATED, NOW)


def test_an_event_fires_once_while_its_run_is_open() -> None:
    verdict = Verdict(source="/s", event_id="1", event_type="t", values={"y": 2})
    (fired,) = triggers.receive(state(), verdict, "run")

    after = triggers.evolve(state(), fired, NOW)

    assert fired == ev.TriggerFired(
        source="/s",
        event_id="1",
        event_type="t",
        run_id="run",
        values={"x": 1, "y": 2},
        causes=("trigger:w/t",),
    )
    assert triggers.receive(after, verdict, "run") == []
    assert after.last_run_id == "run"
    (ended,) = triggers.end_run(after, "run", "failed")
    assert triggers.evolve(after, ended, NOW).open == ()
    assert triggers.end_run(state(), "run", "failed") == []


def test_an_event_that_is_ignored_says_why() -> None:
    verdict = Verdict(source="/s", event_id="1", reason="filtered", message="the filter is false")

    (ignored,) = triggers.receive(state(), verdict, "", count=7)

    assert isinstance(ignored, ev.TriggerIgnored)
    assert (ignored.reason, ignored.message, ignored.count) == ("filtered", "the filter is false", 7)
    assert triggers.evolve(state(), ignored, NOW) == state()


@pytest.mark.parametrize(
    ("causes", "message"),
    [
        (["trigger:w/t"], "this trigger led to run r, which it is about"),
        (
            ["trigger:w/other", "trigger:w/t", "trigger:w/next"],
            "this trigger led to run r, which it is about, by way of trigger:w/next",
        ),
    ],
)
def test_a_trigger_does_not_fire_on_what_it_led_to(causes: list[str], message: str) -> None:
    verdict = triggers.caused(Verdict(source="/s", event_id="1", run_id="r"), "trigger:w/t", causes)

    assert (verdict.reason, verdict.message) == ("own", message)


def test_a_trigger_fires_on_what_others_led_to_and_remembers_them() -> None:
    verdict = Verdict(source="/s", event_id="1", run_id="r")
    assert triggers.caused(verdict, "trigger:w/t", ["trigger:w/other"]) == verdict

    (fired,) = triggers.receive(state(), verdict, "run", causes=["trigger:w/other"])

    assert isinstance(fired, ev.TriggerFired)
    after = triggers.evolve(state(), fired, NOW)
    assert after.open[0].causes == fired.causes == ("trigger:w/other", "trigger:w/t")


def test_a_name_is_free_again_after_it_was_deleted() -> None:
    with pytest.raises(FoldlineError, match="has a trigger t already"):
        triggers.create(state(), CREATED)
    deleted = triggers.evolve(state(), ev.TriggerDeleted(), NOW)

    assert triggers.create(deleted, CREATED) == [CREATED]
    with pytest.raises(FoldlineError, match="has no trigger t"):
        triggers.require(deleted, "w", "t")


@pytest.mark.parametrize(
    "subject", ["orders.new", "orders.*", "orders.>", "foldline.event.w.run.RunCompleted"]
)
def test_a_subject_of_ones_own_is_taken(subject: str) -> None:
    triggers.check_subject(subject, "w")


@pytest.mark.parametrize(
    "subject",
    [
        "",
        ".",
        "a..b",
        "a b",
        "a.>.b",
        "a.b*",
        ">",
        "*",
        "*.b",
        "$JS.API.>",
        "_INBOX.>",
        "foldline",
        "foldline.>",
        "foldline.work.*",
        "foldline.event.>",
        "foldline.event.*.run.RunCompleted",
        "foldline.event.other.>",
        "x" * 300,
    ],
)
def test_a_subject_on_which_others_talk_is_refused(subject: str) -> None:
    with pytest.raises(FoldlineError) as refusal:
        triggers.check_subject(subject, "w")

    assert refusal.value.reason == "ILLEGAL_SUBJECT"


@pytest.mark.parametrize(
    "settings",
    [
        TriggerSettings(workflow="f", filter="x" * 2000),
        TriggerSettings(workflow="f", parameters={"no name": "event"}),
        TriggerSettings(workflow="f", values={"x": 1}, parameters={"x": "event.id"}),
        TriggerSettings(workflow="f", description="x" * 2000),
    ],
)
def test_settings_that_cannot_be_carried_out_are_refused(settings: TriggerSettings) -> None:
    with pytest.raises(FoldlineError) as refusal:
        triggers.prepared(settings, "w")

    assert refusal.value.reason == "ILLEGAL_SETTINGS"
