"""Facts for outsiders: every event once, in order, over crashes of either side."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
from nats.js.api import DeliverPolicy
from nats.js.errors import NotFoundError
from tests.integration.recorder.desk import open_desk
from tests.integration.recorder.stories import Story
from tests.servers import Running
from tests.waiting import until

from foldline.bus import streams, subjects
from foldline.chassis.clock import SystemClock, new_id
from foldline.cli.stack.nats import EmbeddedNats
from foldline.domain.registry_events import WorkspaceCreated
from foldline.eventstore import facts
from foldline.eventstore.port import NO_STREAM, NewEvent
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect
from foldline.wire import cloudevents
from foldline.wire.cloudevents import CloudEvent


@asynccontextmanager
async def a_ledger(database: str) -> AsyncIterator[PostgresEventStore]:
    async with (
        connect.pool(database, role="foldline_scheduler", name="writer") as pool,
        PostgresEventStore(pool, database) as store,
    ):
        yield store


async def kept(url: str) -> list[tuple[str, CloudEvent]]:
    """Everything in the stream of facts, as an outsider reads it."""
    client = await nats.connect(url)
    try:
        context = client.jetstream()
        try:
            count = (await context.stream_info(streams.EVENTS)).state.messages
        except NotFoundError:
            return []
        reading = await context.subscribe(
            subjects.EVENTS, ordered_consumer=True, deliver_policy=DeliverPolicy.ALL
        )
        messages = [await reading.next_msg(timeout=5) for _ in range(count)]
        return [(message.subject, cloudevents.decode(message.data)) for message in messages]
    finally:
        await client.close()


async def ids_of(store: PostgresEventStore, *stories: Story) -> list[str]:
    return [event.id for story in stories for event in await store.read_stream(story.stream)]


async def test_every_event_goes_out_as_a_cloudevent(database: str, nats_server: str, tmp_path: Path) -> None:
    async with a_ledger(database) as store, open_desk(database, nats_server, tmp_path):
        story = await Story(store).finish()
        created = WorkspaceCreated(workspace="lab", title="The lab")
        meta = facts.Meta(actor="ada", workspace="lab", correlation="c2")
        await store.append("workspace-lab", NO_STREAM, facts.new_events([created], meta, SystemClock().now()))

        async def all_went_out() -> list[tuple[str, CloudEvent]]:
            found = await kept(nats_server)
            assert len(found) == story.version + 1
            return found

        found = await until(all_went_out)
        recorded = await store.read_stream(story.stream)

    of_the_run = [(subject, event) for subject, event in found if event.subject == story.stream]
    assert [event.id for _, event in of_the_run] == [event.id for event in recorded]
    assert of_the_run[-1][0] == "foldline.event.lab.run.RunCompleted"
    assert "foldline.event.lab.workspace.WorkspaceCreated" in [subject for subject, _ in found]
    first = of_the_run[0][1]
    assert (first.type, first.subject, first.sequence) == (
        "foldline.api.event.v1.RunCreated",
        story.stream,
        "1",
    )
    assert bytes(first.data).decode() == recorded[0].payload
    assert (first.actor, first.workspace, first.correlation) == ("ada", "lab", "c1")


async def test_after_a_restart_nothing_is_published_again(
    database: str, nats_server: str, tmp_path: Path
) -> None:
    async with a_ledger(database) as store:
        async with open_desk(database, nats_server, tmp_path):
            first = await Story(store).finish()
            await until(lambda: went_out(nats_server, store, first))
        async with open_desk(database, nats_server, tmp_path) as desk:
            position = await desk.pool.fetchrow(
                "select transaction, number from recorder.checkpoints where follower = 'relay'"
            )
            last = (await store.read_stream(first.stream))[-1].position
            assert position is not None
            assert tuple(position) == (last.transaction, last.number)
            second = await Story(store).finish()
            await until(lambda: went_out(nats_server, store, first, second))


async def went_out(url: str, store: PostgresEventStore, *stories: Story) -> None:
    assert [event.id for _, event in await kept(url)] == await ids_of(store, *stories)


async def test_what_a_crash_made_come_twice_is_dropped(
    database: str, nats_server: str, tmp_path: Path
) -> None:
    async with a_ledger(database) as store:
        async with open_desk(database, nats_server, tmp_path) as desk:
            story = await Story(store).finish()
            await until(lambda: went_out(nats_server, store, story))
        async with connect.pool(database, role="foldline_recorder", name="test") as pool:
            await pool.execute("delete from recorder.checkpoints")
        async with open_desk(database, nats_server, tmp_path) as desk:
            await until(lambda: relayed(desk.pool, story))

        assert [event.id for _, event in await kept(nats_server)] == await ids_of(store, story)


async def relayed(pool: connect.Pool, story: Story) -> None:
    number = await pool.fetchval("select number from recorder.checkpoints where follower = 'relay'")
    assert number is not None
    assert number >= story.version


async def test_while_nats_is_away_the_relay_waits(
    database: str, own_nats: Running[EmbeddedNats], tmp_path: Path
) -> None:
    async with a_ledger(database) as store, open_desk(database, own_nats.server.url, tmp_path):
        first = await Story(store).finish()
        await until(lambda: went_out(own_nats.server.url, store, first))
        own_nats.kill()
        second = await Story(store).finish()
        own_nats.start()
        await until(lambda: went_out(own_nats.server.url, store, first, second), timeout=20)


async def test_with_its_storage_wiped_nats_gets_what_follows(
    database: str, own_nats: Running[EmbeddedNats], tmp_path: Path
) -> None:
    url = own_nats.server.url
    async with a_ledger(database) as store, open_desk(database, url, tmp_path / "artifacts"):
        first = await Story(store).finish()
        await until(lambda: went_out(url, store, first))
        own_nats.kill()
        shutil.rmtree(tmp_path / "nats" / "storage")
        own_nats.start()
        second = await Story(store).finish()
        await until(lambda: went_out(url, store, second), timeout=20)


async def test_a_fact_that_is_too_large_is_parked_and_the_rest_goes_on(
    database: str, nats_server: str, tmp_path: Path
) -> None:
    async with a_ledger(database) as store, open_desk(database, nats_server, tmp_path) as desk:
        payload = '{"workspace":"' + "x" * 9_000_000 + '"}'
        large = NewEvent(
            new_id(), "WorkspaceCreated", SystemClock().now(), payload, '{"actor":"ada","workspace":"lab"}'
        )
        await store.append("workspace-large", NO_STREAM, [large])
        story = await Story(store).finish()
        await until(lambda: went_out(nats_server, store, story))

        parked = await desk.bus.parked(10)

    assert [(one.subject, large.id in one.body.decode()) for one in parked] == [
        ("foldline.event._.workspace.WorkspaceCreated", True)
    ]
    assert "larger than" in parked[0].reason
