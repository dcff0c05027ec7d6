"""Executors as processes on a real ledger, NATS and store, with the real driver of runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.integration.executor.installation import Site
from tests.integration.scheduler.installation import META, Platform, created, engine, history
from tests.waiting import until

from foldline.artifacts import digests
from foldline.chassis.clock import SystemClock
from foldline.domain.commands import CreateRun
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Binding, Function, Graph, Output, Retry, Step
from foldline.eventstore.port import Recorded
from foldline_scheduler.engine import Engine
from foldline_scheduler.offers import offer_of
from foldline_scheduler.partitions import PARTITIONS
from foldline_scheduler.roster import Roster

ENDS = ("AttemptSucceeded", "AttemptFailed")
FINAL = ("RunCompleted", "RunFailed", "RunStopped")
#: No attempt is the author's to repeat: a run that completes has lost attempts to the platform alone.
ONCE = Retry(max_attempts=1)


class Machine:
    """An executor process with a home of its own."""

    def __init__(self, world: World, name: str, **settings: object) -> None:
        self.name = name
        self.home = world.root / name
        self._log = world.root / f"{name}.log"
        self._environ = {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "FOLDLINE_NATS": world.nats,
            "FOLDLINE_ARTIFACTS": str(world.site.artifacts),
            "FOLDLINE_TOKEN_KEY": "0123456789abcdef0123456789abcdef",
            "FOLDLINE_HOME": str(self.home),
            "FOLDLINE_NAME": name,
            "FOLDLINE_SLOTS": "2",
            "FOLDLINE_DISK_FREE": "0",
            "FOLDLINE_LOG_FORMAT": "json",
        } | {f"FOLDLINE_{key.upper()}": str(value) for key, value in settings.items()}
        self.process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def session(self) -> str:
        return (self.home / "session").read_text()

    @property
    def spooled(self) -> list[Path]:
        return list((self.home / "spool").glob("*.json"))

    async def start(self) -> Machine:
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "foldline_executor", env=self._environ, stdout=log, stderr=log
            )
        return self

    async def kill(self) -> None:
        """As a crash does it; everything that it had started must be gone soon after."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await until(self.assert_no_orphan, timeout=10)

    async def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 60)

    def assert_no_orphan(self) -> None:
        """No process works in the home, was started from it, or has it in its environment."""
        left = [one.name for one in Path("/proc").iterdir() if one.name.isdecimal() and self._is_ours(one)]
        assert not left, f"{self.name} left processes {left}"

    def _is_ours(self, process: Path) -> bool:
        ours = str(self.home)
        try:
            if process.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            return ours in said.decode(errors="replace") or ours in str((process / "cwd").readlink())
        except OSError:
            return False  # it has ended meanwhile


class World:
    """A ledger with runs, and the machines. The scheduler may be away."""

    def __init__(self, platform: Platform, nats: str, root: Path) -> None:
        self.platform = platform
        self.nats = nats
        self.root = root
        self.site = Site(root)
        self._engine: Engine | None = None
        self._running = AsyncExitStack()

    async def begin(self, *, silence: float = 5.0) -> None:
        """A scheduler comes, and takes over what is open."""
        one, _ = await self._running.enter_async_context(engine(self.platform, silence=silence))
        self._engine = one
        await self.platform.open_runs.catch_up()
        await one.owner.adopt(await self.platform.open_runs.of(range(PARTITIONS)))

    async def end(self) -> None:
        """The scheduler goes, with all that it had in memory."""
        await self._running.aclose()
        self._engine = None

    @property
    def driving(self) -> Engine:
        assert self._engine is not None
        return self._engine

    @property
    def roster(self) -> Roster:
        loop = asyncio.get_running_loop()
        return Roster(self.driving.owner.executors, self.platform.bus, loop.time)

    def states(self) -> dict[str, str]:
        """State by session, as `foldline executors` shows it."""
        return {one.session: one.state for one in self.roster.everyone()}

    async def is_ready(self, *machines: Machine) -> None:
        await until(lambda: all(self._state(one) == "ready" for one in machines), timeout=60)

    def _state(self, machine: Machine) -> str:
        session = machine.home / "session"
        return self.states().get(session.read_text(), "") if session.exists() else ""

    async def start(self, *steps: Step) -> RunCreated:
        run = replace(created(Graph(name="life", steps=steps)), bundle=self.site.bundle)
        await self.driving.owner.command(run.run_id, CreateRun(run), META)
        return run

    async def why_waiting(self, run: RunCreated) -> dict[str, str]:
        """What is in the way of each step, as `foldline why-waiting` says it."""
        state = await self.driving.owner.look(run.run_id)
        assert state is not None
        found = self.driving.owner.queue.explain(offer_of(state, SystemClock().now()))
        return {name: reason.message for name, reason in found.items()}

    async def history(self, run: RunCreated) -> list[Recorded]:
        return await history(self.platform, run)

    async def finish(self, run: RunCreated, seconds: float = 60.0) -> list[Recorded]:
        """Wait for the end; the history."""

        async def ended() -> list[Recorded]:
            recorded = await self.history(run)
            assert recorded, "there is nothing recorded"
            assert recorded[-1].type in FINAL, [one.type for one in recorded]
            return recorded

        return await until(ended, timeout=seconds)

    async def until_spooled(self, machine: Machine) -> None:
        await until(lambda: bool(machine.spooled), timeout=30)


@asynccontextmanager
async def machine(world: World, name: str = "ex", **settings: object) -> AsyncIterator[Machine]:
    one = await Machine(world, name, **settings).start()
    try:
        yield one
    finally:
        await one.kill()


def step(name: str, *needs: str, function: str = "", **values: Any) -> Step:
    """A step that calls the function of its name (or another one) with these values."""
    return Step(
        name=name,
        kind="function",
        function=Function(module="flow", name=function or name),
        inputs={key: Binding(value=value) for key, value in values.items()},
        outputs=(Output(name="output"),),
        after=needs,
        retry=ONCE,
    )


def keys(recorded: list[Recorded], *types: str) -> list[tuple[str, int]]:
    """Step and number of every attempt that an event of these types is about, in order."""
    facts = [json.loads(event.payload) for event in recorded if event.type in types]
    return [(fact["step"], fact["attempt"]) for fact in facts]


def assert_clear(recorded: list[Recorded]) -> None:
    """One clear record: each attempt was scheduled once and has ended once, and started at most once."""
    scheduled, ended = keys(recorded, "StepScheduled"), keys(recorded, *ENDS)
    assert sorted(scheduled) == sorted(set(scheduled)) == sorted(ended)
    started = keys(recorded, "AttemptStarted")
    assert len(started) == len(set(started))
    succeeded = [step for step, _ in keys(recorded, "AttemptSucceeded")]
    assert len(succeeded) == len(set(succeeded))


def assert_whole(artifacts: Path) -> None:
    """Everything that is visible in the store is what its name says."""
    found = [path for path in (artifacts / "sha256").rglob("*") if path.is_file()]
    assert [path for path in found if digests.of_file(path) != f"sha256:{path.name}"] == []
