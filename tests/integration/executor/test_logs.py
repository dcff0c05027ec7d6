"""Logs of steps that write much, for ever, or anything: by an executor in a process of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.integration.executor.installation import Scheduler, Site, executor, inputs
from tests.integration.executor.test_process import running
from tests.memory import Peak
from tests.waiting import until

from foldline.bus import jetstream
from foldline.domain.work import LogEntry
from foldline.execution import series
from foldline.execution.cuts import TAIL_LINES

MEGABYTE = 1024 * 1024

STEPS = """
    import math, os, sys, time
    from pathlib import Path

    import foldline as fl


    def prints(lines):
        for number in range(lines):
            print("line", number)


    def fails_after(lines):
        for number in range(lines):
            print("line", number)
        raise ValueError("the reason")


    def bars():
        for number in range(1000):
            sys.stderr.write(f"\\r{number / 10:.0f}%|####")
        sys.stderr.write("\\r100%|####\\n")
        sys.stdout.buffer.write(b"\\x1b[31mred\\x1b[0m \\x00 \\xff <script>")


    def then_waits(path):
        for number in range(20_000):
            print("line", number)
        sys.stdout.flush()
        fl.log_metric("loss", 0.5)
        Path(path).touch()
        time.sleep(600)


    def measures(points):
        for number in range(points):
            fl.log_metric("loss", 1 / (number + 1), step=number)


    def measures_wrongly():
        refused = []
        for value in (math.nan, math.inf, "0.5", None, [1.0], 1j, 10**400):
            try:
                fl.log_metric("loss", value)
            except (TypeError, ValueError) as error:
                refused.append(f"{type(error).__name__}: {error}")
        for step in ("1", 1.5, 2**70):
            try:
                fl.log_metric("loss", 1.0, step=step)
            except (TypeError, ValueError) as error:
                refused.append(f"{type(error).__name__}: {error}")
        import numpy as np
        fl.log_metric("loss", np.float32(0.5), step=np.int64(3))
        fl.log_metric("loss", True)
        return refused
"""


@pytest.fixture
async def here(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    await site.release(STEPS)
    return site


@pytest.fixture
async def scheduler(nats_server: str) -> AsyncIterator[Scheduler]:
    async with jetstream.connect(nats_server, name="test") as bus:
        scheduler = Scheduler(bus)
        scheduler.keeps_live = False
        await scheduler.listen()
        yield scheduler


async def test_a_million_lines_are_kept_in_order_in_bounded_memory(
    here: Site, nats_server: str, scheduler: Scheduler
) -> None:
    async with running(here, nats_server, scheduler) as process:
        warm = here.work("prints", inputs=inputs(lines=10))
        await scheduler.order(warm)
        await scheduler.ended(warm)
        assert process.process is not None
        peak = Peak(process.process.pid)

        work = here.work("prints", inputs=inputs(lines=1_000_000))
        await scheduler.order(work)
        report = await until(lambda: scheduler._find(work, ("succeeded", "failed")), timeout=280)

        assert (report.kind, report.log_lines) == ("succeeded", 1_000_000)
        assert peak.growth < 64 * MEGABYTE
    count = 0
    prefix = f"logs/{work.key.run_id}/1/prints/"
    for piece in (await here.store.list_objects(prefix))[:-1]:
        assert piece == f"{prefix}{count + 1:012d}.jsonl"
        for line in (await here.store.read_object(piece)).splitlines():
            assert msgspec.json.decode(line, type=LogEntry).text == f"line {count}"
            count += 1
    assert count == 1_000_000


async def test_a_step_that_writes_too_much_goes_on_and_its_error_is_seen(here: Site) -> None:
    async with executor(here, log_lines=100) as scheduler:
        work = here.work("fails_after", inputs=inputs(lines=50_000))
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert failure.error_class == "ValueError"
    lines = await here.log(work)
    assert [line.text for line in lines[:100]] == [f"line {number}" for number in range(100)]
    assert "its limit of 100 lines" in lines[100].text
    assert "were left out here" in lines[101].text
    assert lines[-1].text == "ValueError: the reason"
    assert len(lines) == 102 + TAIL_LINES


async def test_bars_colours_and_binary_are_kept_safely(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("bars")
        await scheduler.order(work)
        await scheduler.ended(work)

    lines = {line.stream: line.text for line in await here.log(work)}
    assert lines == {"stderr": "100%|####", "stdout": "\x1b[31mred\x1b[0m \x00 \\xff <script>"}


async def test_what_was_kept_of_a_killed_executor_is_readable(
    here: Site, nats_server: str, scheduler: Scheduler, tmp_path: Path
) -> None:
    async with running(here, nats_server, scheduler) as process:
        work = here.work("then_waits", inputs=inputs(path=str(tmp_path / "there")))
        await scheduler.order(work)
        await until((tmp_path / "there").exists, timeout=60)
        prefix = f"logs/{work.key.run_id}/1/then_waits/"

        async def newest() -> list[str]:
            lines: list[str] = []
            for piece in await here.store.list_objects(prefix):
                content = await here.store.read_object(piece)
                lines += [msgspec.json.decode(line, type=LogEntry).text for line in content.splitlines()]
            assert len(lines) == 20_001
            return lines

        await until(newest, timeout=30)
        await process.kill()

        written = [text for text in await newest() if text.startswith("line")]
        assert written == [f"line {number}" for number in range(20_000)]
        assert f"{prefix}end.json" not in await here.store.list_objects(prefix)
        assert await here.store.list_objects(f"metrics/{work.key.run_id}/1/then_waits/")


async def test_a_hundred_thousand_points_are_kept_and_the_last_is_reported(here: Site) -> None:
    async with executor(here) as scheduler:
        scheduler.keeps_live = False
        work = here.work("measures", inputs=inputs(points=100_000))
        await scheduler.order(work)
        report = await scheduler.ended(work)

    assert report.metrics == {"loss": 1 / 100_000}
    prefix = f"metrics/{work.key.run_id}/1/measures/"
    *pieces, end = await here.store.list_objects(prefix)
    steps = [
        point.step
        for piece in pieces
        for column in series.decode(await here.store.read_object(piece))
        for point in column.points()
    ]
    assert steps == list(range(100_000))
    assert json.loads(await here.store.read_object(end)) == {"points": 100_000, "left_out": 0}


async def test_what_is_no_number_is_refused_with_the_reason(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("measures_wrongly")
        await scheduler.order(work)
        report = await scheduler.ended(work)

    refused = report.outputs["output"].value
    assert isinstance(refused, list)
    assert refused[:2] == [
        "ValueError: metric 'loss' is nan; only finite numbers can be recorded",
        "ValueError: metric 'loss' is inf; only finite numbers can be recorded",
    ]
    assert refused[2] == "TypeError: metric 'loss' is a str ('0.5'), not a number"
    assert refused[3].startswith("TypeError: metric 'loss' is a NoneType")
    assert refused[4].startswith("TypeError: metric 'loss' is a list")
    assert refused[5].startswith("TypeError: metric 'loss' is a complex")
    assert refused[6].startswith("TypeError: metric 'loss' is a int, not one number")
    assert refused[7] == "TypeError: the step of metric 'loss' is a str, not a whole number"
    assert refused[8] == "TypeError: the step of metric 'loss' is a float, not a whole number"
    assert refused[9].startswith("ValueError: the step of metric 'loss' is 1180591620717411303424")
    assert report.metrics == {"loss": 1.0}
