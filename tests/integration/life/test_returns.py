"""An attempt that ended while its scheduler was away is delivered when it returns, whoever restarted."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from tests.integration.life.kit import ENDS, Machine, World, assert_clear, keys, machine, step
from tests.integration.scheduler.scripted import DONE, ScriptedExecutor
from tests.servers import Running
from tests.waiting import until

from foldline.bus import subjects
from foldline.bus.port import Message
from foldline.cli.stack.nats import EmbeddedNats
from foldline.domain.run_events import RunCreated
from foldline.domain.work import Claim, Heartbeat
from foldline.wire import work as wire

pytestmark = pytest.mark.timeout(180)


async def started(world: World, machine: Machine, *, name: str = "work", seconds: float = 1) -> RunCreated:
    """A run whose one step runs on the machine."""
    await world.is_ready(machine)
    run = await world.start(step(name, function="long", seconds=seconds))

    async def is_recorded() -> bool:
        return bool(keys(await world.history(run), "AttemptStarted"))

    await until(is_recorded, timeout=30)
    return run


class Beats:
    """Heartbeats as they are heard beside the scheduler."""

    def __init__(self, world: World) -> None:
        self.heard: list[Heartbeat] = []
        self._bus = world.platform.bus

    async def listen(self) -> Beats:
        await self._bus.subscribe(subjects.HEARTBEAT, self._hear)
        return self

    async def of(self, machine: Machine) -> Heartbeat:
        """The first of the process that runs now."""

        def find() -> Heartbeat:
            found = [beat for beat in self.heard if beat.session == machine.session]
            assert found
            return found[0]

        return await until(find, timeout=30)

    async def _hear(self, message: Message) -> None:
        self.heard.append(wire.decode(Heartbeat, message.body))


async def assert_delivered(world: World, run: RunCreated, machine: Machine) -> None:
    recorded = await world.finish(run)
    assert recorded[-1].type == "RunCompleted"
    assert_clear(recorded)
    assert keys(recorded, "StepScheduled") == [("work", 1)]
    await until(lambda: not machine.spooled, timeout=30)


async def test_the_scheduler_was_away(world: World) -> None:
    async with machine(world) as one:
        run = await started(world, one)
        await world.end()
        await world.until_spooled(one)

        await world.begin()

        await assert_delivered(world, run, one)


async def test_the_executor_was_killed_meanwhile_and_its_heart_beats_first(world: World) -> None:
    """The new process says whom it replaces before the scheduler has heard of the end."""
    beats = await Beats(world).listen()
    async with machine(world) as one:
        run = await started(world, one)
        before = one.session
        await world.end()
        await world.until_spooled(one)
        await one.kill()
        await one.start()
        await until(lambda: one.session != before, timeout=30)
        beat = await beats.of(one)
        assert (beat.replaces, [key.step for key in beat.held]) == (before, ["work"])

        await world.begin(silence=1.0)

        await assert_delivered(world, run, one)


async def test_the_executor_was_killed_twice_meanwhile(world: World) -> None:
    """The process that delivers does not even know the session whose attempt it was."""
    beats = await Beats(world).listen()
    async with machine(world) as one:
        run = await started(world, one)
        await world.end()
        await world.until_spooled(one)
        for _ in range(2):
            before = one.session
            await one.kill()
            await one.start()
            await until(lambda before=before: one.session != before, timeout=30)  # type: ignore[misc]
        await beats.of(one)

        await world.begin(silence=1.0)

        await assert_delivered(world, run, one)


async def test_the_executor_left_in_good_order_meanwhile(world: World) -> None:
    async with machine(world) as one:
        run = await started(world, one)
        await world.end()
        await world.until_spooled(one)
        assert await one.terminate() == 0
        await world.begin()
        await one.start()

        await assert_delivered(world, run, one)


async def test_nats_was_wiped_meanwhile(
    world: World, own_nats: Running[EmbeddedNats], tmp_path: Path
) -> None:
    async with machine(world) as one:
        run = await started(world, one)
        await world.end()
        own_nats.kill()
        await world.until_spooled(one)
        for storage in (tmp_path / "nats").iterdir():
            if storage.is_dir():
                shutil.rmtree(storage)
        await asyncio.to_thread(own_nats.start)

        await world.begin()

        await assert_delivered(world, run, one)


async def test_a_new_session_that_holds_the_end_keeps_its_attempt_from_being_lost(world: World) -> None:
    """However often it says whom it replaces before the report is heard."""
    bus = world.platform.bus
    old = await ScriptedExecutor(bus, "old", answers=False).start()
    run = await world.start(step("work", function="short"))
    await until(lambda: bool(old.orders))
    (order,) = old.orders
    new = ScriptedExecutor(bus, "new", slots=0)
    new.held = {order.key}
    for _ in range(3):
        await new.beat(replaces="old", claims=(Claim(),))
    await until(lambda: list(world.states()) == ["new"])
    await world.driving.listener.check_silence()

    await old.report(order, "succeeded", outputs={"output": DONE})
    recorded = await world.finish(run)

    assert keys(recorded, *ENDS) == [("work", 1)]
    assert recorded[-1].type == "RunCompleted"
    assert new.stops == []


async def test_a_session_that_leaves_holding_an_end_keeps_it_for_the_silence_time(world: World) -> None:
    bus = world.platform.bus
    old = await ScriptedExecutor(bus, "old", answers=False).start()
    run = await world.start(step("work", function="short"))
    await until(lambda: bool(old.orders))
    (order,) = old.orders
    old.held = {order.key}
    await old.beat(leaving=True, draining=True, claims=(Claim(),))
    await until(lambda: world.states() == {"old": "leaving"})
    new = ScriptedExecutor(bus, "new", slots=0)
    new.held = {order.key}
    await new.beat(replaces="old", claims=(Claim(),))

    await old.report(order, "succeeded", outputs={"output": DONE})

    assert keys(await world.finish(run), *ENDS) == [("work", 1)]


async def test_what_nobody_delivers_is_lost_in_the_end(world: World) -> None:
    """The machine is gone for good, with the report on its disk; another one takes over."""
    async with machine(world) as one:
        run = await started(world, one)
        await world.end()
        await world.until_spooled(one)
        await one.kill()
        await world.begin(silence=3.0)
        async with machine(world, "other"):
            recorded = await world.finish(run)

    assert recorded[-1].type == "RunCompleted"
    assert_clear(recorded)
    assert keys(recorded, "AttemptFailed")[0] == ("work", 1)
