"""The read models are derived from events alone: dropped, they come back the same, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.integration.recorder.desk import Desk, open_desk
from tests.integration.recorder.stories import Story
from tests.integration.recorder.worlds import Tale, wait
from tests.servers import owners
from tests.unit.domain.graphs import failure
from tests.unit.domain.test_forms import graph, map_step
from tests.waiting import until

from foldline.chassis.lifecycle import Lifecycle
from foldline.chassis.settings import Secret
from foldline.domain.spec import Binding
from foldline.pg import migrate
from foldline_recorder import app
from foldline_recorder.settings import Settings


async def dump(database: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("select * from recorder.runs order by run_id")
        rows += await connection.fetch("select * from recorder.checkpoints where follower = 'runs'")
        return [dict(row) for row in rows]
    finally:
        await connection.close()


async def drop(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("drop schema recorder cascade")
    finally:
        await connection.close()


async def play(desk: Desk) -> None:
    """Runs in every status, told in small portions and in large ones, one among the other."""
    first, second = Story(desk.store, rate=0.5), Story(desk.store, workspace="other")
    await first.tell()
    await second.tell()
    first.game.schedule()
    await first.tell()
    second.game.schedule()
    second.game.fail("a", failure(traceback="x" * 1000))
    await second.tell_at_once()
    await first.finish(value="y" * 2000)
    await Story(desk.store).tell()
    third = Story(desk.store)
    third.game.schedule()
    await third.tell_at_once()
    await Tale(desk.store, graph(map_step(Binding(value=[1, 2])), wait("yes", "approve"))).run()


async def all_is_listed(database: str) -> None:
    statuses = [row["status"] for row in await dump(database) if "status" in row]
    assert sorted(statuses) == ["completed", "completed", "created", "failed", "running", "running"]


async def test_a_dropped_schema_comes_back_the_same(database: str, nats_server: str, tmp_path: Path) -> None:
    async with open_desk(database, nats_server, tmp_path) as desk:
        await play(desk)
        await until(lambda: all_is_listed(database))
    before = await dump(database)

    await drop(database)
    await migrate.apply(database, owners())
    async with open_desk(database, nats_server, tmp_path):
        await until(lambda: all_is_listed(database))

    assert await dump(database) == before


async def test_a_recorder_without_its_schema_refuses_to_start(
    database: str, nats_server: str, tmp_path: Path
) -> None:
    await drop(database)
    settings = Settings(
        postgres=Secret(database),
        nats=Secret(nats_server),
        artifacts=str(tmp_path),
        token_key=Secret("a key of at least thirty-two bytes!"),
    )

    with pytest.raises(
        migrate.MigrationError, match=r"schema recorder lacks 0001_runs\.sql, .*: run `foldline migrate`"
    ):
        await app.open_and_serve(settings, Lifecycle())


async def test_a_follower_that_was_killed_goes_on_where_the_rows_stand(
    database: str, nats_server: str, tmp_path: Path
) -> None:
    async with open_desk(database, nats_server, tmp_path) as desk:
        await play(desk)
        await until(lambda: all_is_listed(database))
    before = await dump(database)
    connection = await asyncpg.connect(database)
    await connection.execute("update recorder.checkpoints set transaction = '0', number = 0")
    await connection.close()

    async with open_desk(database, nats_server, tmp_path):

        async def it_has_caught_up() -> None:
            assert await dump(database) == before

        await until(it_has_caught_up)
