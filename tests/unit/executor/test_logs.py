"""The log of an attempt on a store and a bus that are slow or away: the step waits, nothing grows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.waiting import until

from foldline.artifacts.folder import FolderStore
from foldline.artifacts.port import StoreUnavailableError
from foldline.bus.memory import MemoryBus
from foldline.chassis.clock import SystemClock
from foldline.domain.work import AttemptKey, LogEntry
from foldline.execution import series
from foldline.execution.cuts import TAIL_LINES, Limit
from foldline.execution.series import SeriesKey
from foldline.runtime.jobs import Line
from foldline_executor.logs import PIECE_BYTES, AttemptLog
from foldline_executor.series import PIECE_POINTS

KEY = AttemptKey(run_id="r", step="a", attempt=1)
LINES = [Line("stdout", "x" * 1000)] * 100


class GatedStore(FolderStore):
    """Writes only while it is open; counts."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.open = asyncio.Event()
        self.open.set()
        self.is_away = False
        self.writes: list[str] = []

    async def write_object(self, key: str, content: bytes) -> None:
        await self.open.wait()
        if self.is_away:
            raise StoreUnavailableError(key, "away")
        self.writes.append(key)
        await super().write_object(key, content)


class GatedBus(MemoryBus):
    """Publishes only while it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    async def publish(self, subject: str, body: bytes) -> None:
        await self.open.wait()
        await super().publish(subject, body)


@pytest.fixture
def store(tmp_path: Path) -> GatedStore:
    return GatedStore(tmp_path)


def open_log(store: GatedStore, bus: MemoryBus | None = None, **more: Any) -> AttemptLog:
    return AttemptLog(KEY, store=store, bus=bus or MemoryBus(), clock=SystemClock(), patience=0.2, **more)


async def kept(store: GatedStore) -> list[LogEntry]:
    lines: list[LogEntry] = []
    for key in await store.list_objects("logs/r/1/a/"):
        if key.endswith(".jsonl"):
            assert key.endswith(f"/{len(lines) + 1:012d}.jsonl")
            lines += msgspec.json.Decoder(LogEntry).decode_lines(await store.read_object(key))
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    return lines


async def points(store: GatedStore) -> dict[SeriesKey, list[tuple[int, float]]]:
    found: dict[SeriesKey, list[tuple[int, float]]] = {}
    for key in await store.list_objects("metrics/r/1/a/"):
        if key.endswith(".points"):
            for column in series.decode(await store.read_object(key)):
                found.setdefault(column.key, []).extend((one.step, one.value) for one in column.points())
    return found


def metric(name: str, value: float, step: int | None = None, rank: int = 0) -> Line:
    note = {"metric": name, "value": value, **({} if step is None else {"step": step})}
    return Line("note", json.dumps(note), rank)


@pytest.mark.parametrize("slow", ["store", "bus"])
async def test_while_the_store_or_the_bus_is_slow_the_step_waits_and_nothing_grows(
    store: GatedStore, slow: str
) -> None:
    bus = GatedBus()
    log = open_log(store, bus)
    gate = store.open if slow == "store" else bus.open
    gate.clear()
    taken = 0

    async def write() -> None:
        nonlocal taken
        for _ in range(100):
            await log.add(LINES)
            taken += len(LINES)

    writing = asyncio.create_task(write())
    stuck = await until(lambda: _unchanged(lambda: log.lines), timeout=10)
    assert stuck
    assert log.lines < 1000
    assert len(log._piece) < 2 * PIECE_BYTES
    assert not writing.done()

    gate.set()
    await writing
    await log.end()

    assert len(await kept(store)) == taken == 10_000


async def test_a_quiet_step_leaves_few_pieces(store: GatedStore) -> None:
    log = open_log(store)
    for number in range(500):
        await log.add([Line("stdout", f"line {number}")])
        await log.keep()
    await log.end()

    assert len(store.writes) > 500
    assert await store.list_objects("logs/r/1/a/") == ["logs/r/1/a/000000000001.jsonl", "logs/r/1/a/end.json"]
    assert len(await kept(store)) == 500


async def test_what_comes_while_a_piece_is_written_is_kept_once(store: GatedStore) -> None:
    log = open_log(store)
    await log.add(LINES)
    store.open.clear()
    keeping = [asyncio.create_task(log.keep()) for _ in range(3)]
    adding = [asyncio.create_task(log.add([Line("stdout", str(number))])) for number in range(20)]
    await asyncio.gather(*adding)
    store.open.set()
    await asyncio.gather(*keeping)
    await log.end()

    assert [line.text for line in await kept(store)][100:] == [str(number) for number in range(20)]


async def test_a_log_beyond_its_limit_says_so_and_keeps_its_end(store: GatedStore) -> None:
    log = open_log(store, limit=Limit(lines=10))
    for number in range(5000):
        await log.add([Line("stdout", f"line {number}")])
    await log.add([Line("stderr", "ValueError: the reason")])
    await log.end()

    lines = await kept(store)
    assert [line.text for line in lines[:10]] == [f"line {number}" for number in range(10)]
    assert lines[10].stream == lines[11].stream == "system"
    assert lines[11].text.startswith(f"{5001 - 10 - TAIL_LINES:,} lines (")
    assert lines[-1].text == "ValueError: the reason"
    assert len(lines) == log.lines == 12 + TAIL_LINES


async def test_once_a_piece_was_lost_the_step_cannot_go_on(store: GatedStore) -> None:
    log = open_log(store)
    store.is_away = True
    with pytest.raises(StoreUnavailableError):
        await log.add(LINES * 10)
    store.is_away = False
    with pytest.raises(StoreUnavailableError):
        await log.add(LINES)


async def test_a_hundred_thousand_points_are_kept_in_a_few_pieces(store: GatedStore) -> None:
    log = open_log(store)
    for start in range(0, 100_000, 1000):
        await log.add([metric("loss", 1 / (number + 1), number) for number in range(start, start + 1000)])
        await log.keep()
    await log.end()

    found = await points(store)
    assert found == {SeriesKey("metric", "loss"): [(number, 1 / (number + 1)) for number in range(100_000)]}
    assert len(await store.list_objects("metrics/r/1/a/")) == 100_000 // PIECE_POINTS + 1


async def test_series_are_apart_by_name_and_rank_and_count_for_themselves(store: GatedStore) -> None:
    log = open_log(store)
    progress = Line("note", '{"progress": 0.5, "message": "half"}')
    await log.add([metric("a", 1.0), metric("b", 2.0), metric("a", 3.0), metric("a", 4.0, rank=1), progress])
    await log.end()

    assert await points(store) == {
        SeriesKey("metric", "a"): [(0, 1.0), (1, 3.0)],
        SeriesKey("metric", "b"): [(0, 2.0)],
        SeriesKey("metric", "a", 1): [(0, 4.0)],
        SeriesKey("progress"): [(0, 0.5)],
    }


async def test_points_beyond_their_limit_are_left_out_and_told_of_once(store: GatedStore) -> None:
    log = open_log(store, points=10)
    for number in range(30):
        await log.add([metric("loss", float(number))])
    await log.end()

    (found,) = (await points(store)).values()
    assert len(found) == 10
    said = [line.text for line in await kept(store) if "left out" in line.text]
    assert said == [
        "some metrics are left out from here on: of an attempt at most 10 points in 1,000 series are kept"
    ]
    assert await store.read_object("metrics/r/1/a/end.json") == b'{"points":10,"left_out":20}'


@pytest.mark.parametrize("text", ["no json", '{"metric": 1}', '{"metric": "a", "value": "b"}', "[]"])
async def test_notes_that_are_none_harm_nobody(store: GatedStore, text: str) -> None:
    log = open_log(store)
    await log.add([Line("note", text), metric("loss", 1.0, 2**70)])
    await log.end()

    assert await points(store) == {SeriesKey("metric", "loss"): [(0, 1.0)]}


async def _unchanged(look: Callable[[], int]) -> bool:
    """Nothing moves any more, however often the others get their turn."""
    before = look()
    for _ in range(200):
        await asyncio.sleep(0)
    await asyncio.to_thread(lambda: None)
    return bool(before) and look() == before
