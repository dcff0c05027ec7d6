"""What attempts tell on their way, and what the next attempt gets of it: progress, metrics, checkpoints."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET
from tests.integration.executor.installation import Site, executor, inputs
from tests.waiting import until

from foldline.domain.artifacts import Artifact, content_of
from foldline.domain.work import AttemptKey, Report, Work

STEPS = """
    import os, time
    from pathlib import Path

    import foldline as fl


    def resume():
        left = fl.last_checkpoint()
        if left is None:
            fl.checkpoint({"epoch": 1})
            fl.checkpoint({"epoch": 3})
            raise RuntimeError("power cut")
        return [left, fl.current().checkpoint]


    def array():
        import numpy as np
        left = fl.last_checkpoint()
        if left is None:
            fl.checkpoint(np.arange(5))
            os._exit(9)
        return left.tolist()


    def file():
        left = fl.last_checkpoint()
        if left is None:
            Path("model.bin").write_bytes(b"weights")
            fl.checkpoint(Path("model.bin"))
            os._exit(9)
        return [left.name, left.read_bytes().decode()]


    def long():
        left = fl.last_checkpoint()
        if left is None:
            fl.checkpoint("x" * 50_000)
            os._exit(9)
        return len(left)


    def nothing_left():
        return fl.last_checkpoint()


    def unstorable():
        fl.checkpoint(open("/dev/null"))


    def keeps_on(path):
        fl.checkpoint(1)
        fl.progress(0.5, "half way")
        Path(path).touch()
        time.sleep(600)


    def chatters(path):
        for number in range(1000):
            fl.progress(number / 1000, "on the way")
        Path(path).touch()
        time.sleep(600)


    def measures():
        for epoch in range(3):
            fl.log_metric("loss", 1 / (epoch + 1), step=epoch)
        fl.log_metric("accuracy", 0.75)


    def long_winded():
        fl.progress(0.25, "x" * 100_000)
        return "done"
"""


@pytest.fixture
async def here(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    await site.release(STEPS)
    return site


def again(work: Work, checkpoint: Artifact) -> Work:
    key = AttemptKey(run_id=work.key.run_id, step=work.key.step, attempt=work.key.attempt + 1)
    return msgspec.structs.replace(work, key=key, checkpoint=checkpoint)


@pytest.mark.parametrize(
    ("function", "encoding", "value"),
    [
        ("resume", "json", [{"epoch": 3}, {"epoch": 3}]),
        ("array", "npy", [0, 1, 2, 3, 4]),
        ("file", "file", ["model.bin", "weights"]),
        ("long", "json", 50_000),
    ],
)
async def test_the_next_attempt_goes_on_from_what_the_failed_one_left(
    here: Site, function: str, encoding: str, value: object
) -> None:
    async with executor(here) as scheduler:
        work = here.work(function)
        await scheduler.order(work)
        report = await scheduler.ended(work)
        assert report.kind == "failed"
        assert report.checkpoint is not UNSET
        second = again(work, report.checkpoint)
        await scheduler.order(second)

        assert await scheduler.value(second) == value
        assert report.checkpoint.encoding == encoding
        is_small = content_of(report.checkpoint) is not None
        assert await here.store.exists(report.checkpoint.digest) is not is_small
        reads = (await scheduler.ended(second)).reads
        assert (report.checkpoint.digest in reads) is not is_small


async def test_a_first_attempt_finds_no_checkpoint(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("nothing_left")
        await scheduler.order(work)

        assert await scheduler.value(work) is None


async def test_what_has_no_safe_format_is_no_checkpoint(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("unstorable")
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert failure.error_class == "TypeError"
    assert "a _io.TextIOWrapper cannot be a checkpoint" in failure.message


async def test_progress_does_not_lose_the_checkpoint_before_it(here: Site, tmp_path: Path) -> None:
    async with executor(here) as scheduler:
        scheduler.is_acknowledging = False
        work = here.work("keeps_on", inputs=inputs(path=str(tmp_path / "there")))
        await scheduler.order(work)
        report = await until(lambda: _newest(scheduler.reports, fraction=0.5), timeout=30)
        await scheduler.stop(work, forced=True)
        ended = await scheduler.ended(work)

    assert report.message == "half way"
    assert report.checkpoint is not UNSET
    assert report.checkpoint.value == 1
    assert ended.checkpoint == report.checkpoint


async def test_an_acknowledgement_of_an_older_report_does_not_end_the_newer_one(
    here: Site, tmp_path: Path
) -> None:
    async with executor(here) as scheduler:
        scheduler.is_acknowledging = False
        work = here.work("keeps_on", inputs=inputs(path=str(tmp_path / "there")))
        await scheduler.order(work)
        newest = await until(lambda: _newest(scheduler.reports, fraction=0.5), timeout=30)
        await scheduler.acknowledge(msgspec.structs.replace(newest, number=newest.number - 1))
        scheduler.reports.clear()

        assert (await scheduler.told(work)).number == newest.number
        await scheduler.acknowledge(newest)
        await scheduler.stop(work, forced=True)


async def test_of_much_progress_the_newest_is_reported(here: Site, tmp_path: Path) -> None:
    async with executor(here) as scheduler:
        work = here.work("chatters", inputs=inputs(path=str(tmp_path / "there")))
        await scheduler.order(work)
        report = await scheduler.told(work)

        assert report.fraction == 0.999
        assert scheduler.kinds(work).count("progressed") < 5
        await scheduler.stop(work, forced=True)


async def test_the_last_value_of_each_metric_is_in_the_report_of_the_end(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("measures")
        await scheduler.order(work)

        assert (await scheduler.ended(work)).metrics == {"loss": 1 / 3, "accuracy": 0.75}


async def test_a_step_may_be_long_winded(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("long_winded")
        await scheduler.order(work)

        assert await scheduler.value(work) == "done"


async def test_a_step_that_tells_nothing_costs_no_report_more(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("nothing_left")
        await scheduler.order(work)
        await scheduler.ended(work)

    assert "progressed" not in scheduler.kinds(work)


def _newest(reports: list[Report], fraction: float) -> Report:
    found = [report for report in reports if report.fraction == fraction]
    assert found
    return found[-1]
