"""Triggers on a real ledger and real NATS: one run for each event, however it comes and however often."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.integration.scheduler.starters import NOON, Place, said
from tests.waiting import until

from foldline.api.scheduler.v1 import schedule_service_pb2 as pb
from foldline.api.scheduler.v1 import trigger_service_pb2 as trigger_pb
from foldline.api.scheduler.v1.trigger_service_pb2_grpc import TriggerServiceStub
from foldline.chassis import channels
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.schedule_events import TriggerSettings
from foldline.sdk.calls import ask
from foldline.sdk.client import Client
from foldline.wire import cloudevents

SETTINGS = TriggerSettings(
    workflow="f",
    values={"at": "now"},
    subject="shop.orders.*",
    filter="event.data.size > 2",
    parameters={"size": "event.data.size"},
)


def an_event(number: int, size: object = 3) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "/shop",
        "type": "order",
        "data": {"size": size},
    }


async def told(client: Client, *types: str) -> list[pb.HistoryEntry]:
    entries = reversed(await client.triggers.history("t", limit=1000))
    return [entry for entry in entries if not types or entry.type in types]


async def has_runs(here: Place, count: int) -> dict[str, Any]:
    runs = await here.runs()
    assert len(runs) >= count
    return runs


async def publish_until_fired(here: Place, client: Client, event: dict[str, Any]) -> pb.HistoryEntry:
    """Publish again and again, as plain delivery is only heard by who listens already."""

    async def check() -> pb.HistoryEntry:
        await here.bus.publish("shop.orders.new", msgspec.json.encode(event))
        fired = [
            entry for entry in await told(client, "TriggerFired") if said(entry, "event_id") == event["id"]
        ]
        assert fired
        return fired[0]

    return await until(check)


async def test_an_event_on_the_subject_starts_one_run_however_often_it_comes(here: Place) -> None:
    async with here.scheduler() as client:
        await client.triggers.create("t", SETTINGS)
        fired = await publish_until_fired(here, client, an_event(1))
        for _ in range(5):
            await here.bus.publish("shop.orders.old", msgspec.json.encode(an_event(1)))
        await publish_until_fired(here, client, an_event(2))
        runs = await until(lambda: has_runs(here, 2))
        assert len(await told(client, "TriggerFired")) == 2

    run = f"run-{said(fired, 'run_id')}"
    assert runs[run].actor == "trigger:w/t"
    (created,) = await here.store.read_stream(run, limit=1)
    assert '"parameters":{"at":"now","size":3}' in created.payload
    assert fired.summary == f"event 1 of /shop fired: run {said(fired, 'run_id')}"


async def test_events_that_are_ignored_are_told_of_by_their_reason(here: Place) -> None:
    async with here.scheduler() as client:
        await client.triggers.create("t", SETTINGS)
        await publish_until_fired(here, client, an_event(1))
        for size in (1, 2, "large"):
            await here.bus.publish("shop.orders.new", msgspec.json.encode(an_event(9, size)))
        await here.bus.publish("shop.orders.new", b"{")

        async def all_told() -> dict[str, int]:
            counts: dict[str, int] = {}
            for entry in await told(client, "TriggerIgnored"):
                reason = said(entry, "reason")
                counts[reason] = counts.get(reason, 0) + int(said(entry, "count"))
            assert set(counts) == {"filtered", "filter_failed", "unreadable"}
            assert counts["filtered"] == 2
            return counts

        assert await until(all_told) == {"filtered": 2, "filter_failed": 1, "unreadable": 1}
        assert len(await here.runs()) == 1


async def test_an_event_by_hand_fires_or_says_why_not(here: Place) -> None:
    async with here.scheduler() as client:
        await client.triggers.create("t", SETTINGS)
        answer = await client.triggers.fire("t", an_event(1))
        again = await client.triggers.fire("t", an_event(1))
        small = await client.triggers.fire("t", an_event(2, 1))
        await until(lambda: has_runs(here, 1))
        (entry,) = await told(client, "TriggerFired")

    assert answer.run_id == again.run_id == said(entry, "run_id")
    assert entry.actor == "ada"
    assert (small.run_id, small.reason) == ("", "filtered")
    assert len(await here.runs()) == 1


async def test_what_was_fired_and_not_started_is_started_by_the_next_owner(here: Place) -> None:
    async with here.scheduler() as client:
        await client.triggers.create("t", SETTINGS)
        here.registry.refusal = FoldlineError(Kind.UNAVAILABLE, "DOWN", "the registry is down")
        answer = await client.triggers.fire("t", an_event(1))
    assert await here.runs() == {}

    here.registry.refusal = None
    async with here.scheduler():
        await until(lambda: has_runs(here, 1))

    assert list(await here.runs()) == [f"run-{answer.run_id}"]


async def test_only_the_secret_of_the_trigger_delivers(here: Place) -> None:
    async with here.scheduler() as client:
        made = await client.triggers.create("t", SETTINGS)
        assert made.trigger.hook == "/hooks/w/t"
        async with channels.channel(client.address, here._token()) as channel:
            deliver = TriggerServiceStub(channel).ReceiveEvent

            def request(trigger: str, secret: str) -> trigger_pb.ReceiveEventRequest:
                event = msgspec.json.encode(an_event(1))
                return trigger_pb.ReceiveEventRequest(
                    workspace="w", trigger=trigger, event=event, secret=secret
                )

            for trigger, secret in (("t", ""), ("t", "wrong"), ("nowhere", made.secret)):
                with pytest.raises(FoldlineError) as refusal:
                    await ask(deliver, request(trigger, secret))
                assert refusal.value.reason == "SECRET_WRONG"
            answer = await ask(deliver, request("t", made.secret))
        await until(lambda: has_runs(here, 1))
        stored = await here.store.read_stream("trigger-w.t")

    assert list(await here.runs()) == [f"run-{answer.run_id}"]
    assert all(made.secret not in event.payload for event in stored)


async def test_a_trigger_is_changed_listed_and_deleted(here: Place) -> None:
    async with here.scheduler() as client:
        await client.triggers.create("t", SETTINGS)
        await publish_until_fired(here, client, an_event(1))
        await client.triggers.update("t", msgspec.structs.replace(SETTINGS, filter="event.data.size > 100"))
        assert [one.settings.filter for one in await client.triggers.list()] == ["event.data.size > 100"]
        assert (await client.triggers.fire("t", an_event(2))).reason == "filtered"
        await client.triggers.delete("t")
        assert await client.triggers.list() == []
        for call in (client.triggers.get("t"), client.triggers.fire("t", an_event(3))):
            with pytest.raises(FoldlineError) as refusal:
                await call
            assert refusal.value.reason == "TRIGGER_NOT_FOUND"
        assert (await told(client))[-1].summary == "deleted"


async def test_settings_that_cannot_be_carried_out_are_refused(here: Place) -> None:
    async with here.scheduler() as client:
        for changes, reason in (
            ({"subject": "foldline.work.>"}, "ILLEGAL_SUBJECT"),
            ({"filter": "event."}, "ILLEGAL_EXPRESSION"),
            ({"workflow": "g"}, "WORKFLOW_NOT_FOUND"),
            ({"parameters": {"nope": "event.id"}}, "INVALID_PARAMETERS"),
        ):
            with pytest.raises(FoldlineError) as refusal:
                await client.triggers.create("t", msgspec.structs.replace(SETTINGS, **changes))
            assert refusal.value.reason == reason


def ended(run_id: str, version: int, actor: str = "service:scheduler") -> bytes:
    """The fact that ends a run, as outsiders hear it."""
    return cloudevents.encode(
        id=f"{run_id}-{version}",
        stream=f"run-{run_id}",
        version=version,
        type="RunCompleted",
        time=NOON,
        payload='{"workflow":"f"}',
        meta=msgspec.json.encode({"actor": actor, "workspace": "w"}).decode(),
    )


async def test_triggers_on_the_ends_of_runs_do_not_start_each_other_for_ever(here: Place) -> None:
    """Two of them, each of which would fire on whatever the other led to."""
    ends = TriggerSettings(
        workflow="f", subject="foldline.event.w.run.RunCompleted", filter="event.data.workflow == 'f'"
    )
    heard: set[str] = set()

    async def tell_of_ends() -> None:
        """Each run there is ends at once, and everybody hears of it more than once."""
        for stream in await here.runs():
            run_id = stream.removeprefix("run-")
            heard.add(run_id)
            await here.bus.publish("foldline.event.w.run.RunCompleted", ended(run_id, 2))

    async with here.scheduler() as client:
        await client.triggers.create("one", ends)
        await client.triggers.create("two", ends)
        await client.runs.start("f")

        async def all_refused() -> None:
            await tell_of_ends()
            # The first run; two that it led to; and one more behind each of these, by the other trigger.
            assert len(await here.runs()) == 5
            for name in ("one", "two"):
                entries = await client.triggers.history(name, limit=1000)
                ignored = {said(one, "message") for one in entries if one.type == "TriggerIgnored"}
                assert any("by way of trigger:w/" in message for message in ignored)

        await until(all_refused, timeout=30)
        for _ in range(3):
            await tell_of_ends()
        assert len(heard) == len(await here.runs()) == 5
