"""What an executor says of itself in its heartbeats, and what its attempts take of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.executor.installation import Site, executor, inputs, limits
from tests.waiting import until

from foldline.bus import subjects
from foldline.chassis.amounts import ByteAmount
from foldline.domain.spec import Resources
from foldline.domain.work import AttemptKey, Claim, Heartbeat
from foldline_executor import heartbeat
from foldline_scheduler.executors import Executors
from foldline_scheduler.sizes import Size

GIB = 1 << 30


async def test_a_heartbeat_says_what_the_executor_has(here: Site) -> None:
    async with executor(
        here,
        cpu=3.5,
        memory=ByteAmount("16GiB"),
        gpu=2,
        flavors="small,large",
        labels="zone=a",
        backends="process",
    ) as scheduler:
        beat = scheduler.beats[-1]

    assert (beat.slots, beat.cpu, beat.memory_bytes, beat.gpu) == (2, 3.5, 16 * GIB, 2)
    assert beat.backends == ("process",)
    assert (beat.flavors, beat.labels) == (("small", "large"), {"zone": "a"})


async def test_a_scheduler_that_calls_the_roll_hears_it_at_once(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 3600.0)
    async with executor(here) as scheduler:
        scheduler.beats.clear()
        await scheduler.bus.publish(subjects.ROLL_CALL, b"")

        await until(lambda: scheduler.session)


async def test_a_running_attempt_is_claimed_with_what_it_takes(here: Site, tmp_path: Path) -> None:
    resources = Resources(cpu=2.0, memory_bytes=GIB)
    async with executor(here, cpu=4.0, memory=ByteAmount("4GiB")) as scheduler:
        running = inputs(path=str(tmp_path / "running"))
        work = here.work("wait", inputs=running, resources=resources, timeouts=limits(grace=0.1))
        await scheduler.order(work)
        beat = await until(lambda: _holding(scheduler.beats, work.key))
        free = _free(beat)
        await scheduler.stop(work, 0.1)
        await scheduler.ended(work)

    assert beat.claims == (Claim(workspace="default", workflow="flow", resources=resources),)
    assert free == Size(slots=1, millicpus=2000, memory_bytes=3 * GIB, gpu=0)


async def test_an_ended_attempt_is_held_but_takes_nothing(here: Site) -> None:
    async with executor(here, cpu=4.0, memory=ByteAmount("4GiB")) as scheduler:
        scheduler.is_acknowledging = False
        work = here.work("add", inputs=inputs(a=1, b=2))
        await scheduler.order(work)
        await scheduler.ended(work)
        beat = await until(lambda: _holding(scheduler.beats, work.key, Claim()))
        scheduler.is_acknowledging = True

    assert _free(beat) == Size(slots=2, millicpus=4000, memory_bytes=4 * GIB, gpu=0)


def _holding(beats: list[Heartbeat], key: AttemptKey, claim: Claim | None = None) -> Heartbeat:
    """The newest heartbeat, once it holds the attempt, with that claim if one is named."""
    beat = beats[-1]
    assert beat.held == (key,)
    assert claim is None or beat.claims == (claim,)
    return beat


def _free(beat: Heartbeat) -> Size:
    """As a scheduler that heard of nothing else sees it."""
    executors = Executors()
    executors.hear(beat, now=0.0)
    return executors.candidates("local", "default")[0].free
