"""One campaign: workflows and faults of a seed on an installation, then the checker's verdict."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec

from foldline.artifacts.port import ArtifactError
from foldline.artifacts.store import open_store
from foldline.chassis.clock import SystemClock
from foldline.cli.chaos import checker, plan, workload
from foldline.cli.chaos.checker import Expected
from foldline.cli.chaos.deaths import died
from foldline.cli.chaos.faults import Faults, NotBack
from foldline.cli.chaos.finding import Finding
from foldline.cli.chaos.histories import Histories
from foldline.cli.chaos.people import People
from foldline.cli.chaos.plan import Fault
from foldline.cli.chaos.wires import Wires
from foldline.cli.stack.credentials import read_client
from foldline.cli.stack.home import Home
from foldline.domain.errors import FoldlineError
from foldline.eventstore.port import Recorded
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect
from foldline.sdk.client import Client

WORKFLOWS = 2
OPEN = 8
"""So many runs are under way at any time, and so many are started at least."""

CALL_SECONDS = 10.0
AGAIN_SECONDS = 0.3
START_SECONDS = 120.0
BOUNDARY_SECONDS = 0.4
"""A fault strikes even if its events do not come: the fault before it may be why."""

STANDSTILL_SECONDS = 10.0
"""The next fault waits so long for any new event after the last one."""

QUIET_SECONDS = 25.0
"""No new event for so long, and nothing will happen any more: without faults the runs have ended by then."""

SETTLE_SECONDS = 300.0

Release = Callable[[Path], Awaitable[None]]
Note = Callable[[str], None]


class Stand(NamedTuple):
    """The installation that is hurt; without wires nobody is cut off."""

    home: Home
    dsn: str
    programs: list[str]
    release: Release
    wires: Wires


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    seed: int
    seconds: float
    runs: dict[str, int]
    """By how they ended."""
    inner_runs: int
    events: int
    attempts: int
    faults: tuple[Fault, ...]
    findings: tuple[Finding, ...]


class Field(NamedTuple):
    """What is open for all campaigns on one installation."""

    stand: Stand
    histories: Histories
    client: Client
    people: People
    faults: Faults


@asynccontextmanager
async def field(stand: Stand) -> AsyncIterator[Field]:
    """Follow the ledger, and let people answer, while campaigns are played."""
    where = read_client(stand.home)
    assert where is not None, "the installation is up"
    async with (
        connect.pool(stand.dsn, name="chaos") as pool,
        PostgresEventStore(pool, stand.dsn) as store,
        Client(where.server, where.token, workspace=where.workspace) as client,
        asyncio.TaskGroup() as tasks,
    ):
        histories = Histories()
        people = People(client, histories, tasks)
        histories.heard = people.on_event
        following = tasks.create_task(histories.follow(store))
        yield Field(stand, histories, client, people, Faults(stand.home, stand.wires, tasks))
        following.cancel()


async def run(field: Field, seed: int, fault_count: int, note: Note) -> Verdict:
    """Play the seed; every finding is in the verdict."""
    campaign = _Campaign(field, seed, note)
    return await campaign.play(fault_count)


class _Campaign:
    def __init__(self, field: Field, seed: int, note: Note) -> None:
        self._field = field
        self._histories = field.histories
        self._seed = seed
        self._note = note
        self._since = SystemClock().now()
        self._began = asyncio.get_running_loop().time()
        self._witness = field.stand.home.folder / "witness" / str(seed)
        self._expected: dict[str, Expected] = {}
        self._numbers = count()
        self._starting = 0
        self._is_enough = False
        self._is_over = False
        self._problems: list[Finding] = []

    async def play(self, fault_count: int) -> Verdict:
        stand = self._field.stand
        made = await self._released()
        struck = plan.make(self._seed, fault_count, stand.programs, list(stand.wires))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(OPEN):
                tasks.create_task(self._keep_running(made))
            try:
                await self._hurt(struck)
                self._is_enough = True
                await self._field.faults.pass_by()
            except NotBack as error:
                self._problems.append(Finding("-", "NOT_BACK", str(error)))
            self._is_enough = True
            await self._settle()
            self._is_over = True
        return await self._verdict(struck)

    async def _released(self) -> list[workload.Workload]:
        self._witness.mkdir(parents=True, exist_ok=True)
        made = [
            workload.make(self._seed * WORKFLOWS + number, str(self._witness)) for number in range(WORKFLOWS)
        ]
        for one in made:
            file = self._field.stand.home.folder / "workflows" / one.name / f"{one.name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(one.source)
            await self._field.stand.release(file)
        return made

    async def _keep_running(self, made: Sequence[workload.Workload]) -> None:
        """One run after the other, until there are enough."""
        while True:
            number = next(self._numbers)
            if self._is_enough and number >= OPEN:
                return
            one = made[number % len(made)]
            self._starting += 1
            run_id = await self._start(one.name, f"chaos-{self._seed}-{number}")
            if run_id:
                self._expected[run_id] = Expected(one.status, one.result)
            self._starting -= 1
            if not run_id:
                return
            while run_id not in self._histories.ended and not self._is_over:
                await self._histories.until(lambda run_id=run_id: run_id in self._histories.ended, 1.0)  # type: ignore[misc]

    async def _start(self, workflow: str, request_id: str) -> str:
        """Asked again until there is an answer: the request id makes it the same run."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        problem = ""
        while loop.time() < deadline:
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    return await self._field.client.runs.start(workflow, request_id=request_id)
            except (FoldlineError, TimeoutError) as error:
                problem = str(error) or type(error).__name__
                await asyncio.sleep(AGAIN_SECONDS)
        self._problems.append(Finding("-", "NOT_STARTED", f"{request_id} of {workflow}: {problem}"))
        return ""

    async def _hurt(self, struck: Sequence[Fault]) -> None:
        loop, counts = asyncio.get_running_loop(), self._histories.counts
        for number, fault in enumerate(struck, start=1):
            wanted = counts[fault.event] + fault.count
            came = await self._histories.until(
                lambda fault=fault, wanted=wanted: counts[fault.event] >= wanted,  # type: ignore[misc]
                BOUNDARY_SECONDS,
            )
            await self._field.faults.strike(fault)
            then = loop.time()
            moved = await self._histories.until(
                lambda then=then: self._histories.newest > then,  # type: ignore[misc]
                STANDSTILL_SECONDS,
            )
            where = "" if came else " (did not come)"
            rest = f"goes on after {loop.time() - then:.2f} s" if moved else "stands still"
            self._note(f"{then - self._began:7.1f} s  {number:3}/{len(struck)}  {fault}{where}; {rest}")

    async def _settle(self) -> None:
        """Wait until all has ended, or nothing happens any more and nothing is put off."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_SECONDS
        since = loop.time()
        while loop.time() < deadline:
            if await self._histories.until(self._has_ended, 1.0):
                return
            is_quiet = loop.time() - max(self._histories.newest, since) > QUIET_SECONDS
            if is_quiet and not self._is_put_off():
                break
        for run_id in self._histories.open(set(self._expected))[:3]:
            await self._explain(run_id)

    def _has_ended(self) -> bool:
        has_begun = bool(self._expected or self._problems)  # without faults the first runs are only beginning
        return has_begun and not self._starting and not self._histories.open(set(self._expected))

    def _is_put_off(self) -> bool:
        """Is an attempt put off, or was one until just now?"""
        due = self._histories.next_retry
        return due is not None and (SystemClock().now() - due).total_seconds() < QUIET_SECONDS

    async def _explain(self, run_id: str) -> None:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                for step in await self._field.client.waits.explain(run_id):
                    self._note(f"  run {run_id}: " + " ".join(str(step).split()))
        except (FoldlineError, TimeoutError) as error:
            self._note(f"  run {run_id}: {error}")

    async def _verdict(self, struck: Sequence[Fault]) -> Verdict:
        roots = set(self._expected)
        histories = self._histories.inside(roots)
        witnessed = [one.name for one in self._witness.iterdir()]
        artifacts = open_store(str(self._field.stand.home.artifacts))
        present = {digest: await _holds(artifacts.read, digest) for digest in _digests(histories)}
        findings = checker.check(
            histories, self._expected, witnessed, lambda digest: present.get(digest, False)
        )
        statuses = Counter(self._histories.ended.get(one, "open") for one in roots)
        self._histories.forget()
        findings += died(self._field.stand.home, self._field.stand.programs, self._since)
        findings += self._field.people.problems
        self._field.people.problems.clear()
        return Verdict(
            seed=self._seed,
            seconds=round(asyncio.get_running_loop().time() - self._began, 1),
            runs=dict(sorted(statuses.items())),
            inner_runs=len(histories) - len(roots),
            events=sum(map(len, histories.values())),
            attempts=len([one for one in witnessed if one.rpartition(":")[2].isdecimal()]),
            faults=tuple(struck),
            findings=(*self._problems, *findings),
        )


def _digests(histories: Mapping[str, Sequence[Recorded]]) -> Iterator[str]:
    found: set[str] = set()
    for events in histories.values():
        for one in events:
            if one.type == "AttemptSucceeded":
                outputs = msgspec.json.decode(one.payload).get("outputs", {})
                found |= {output["digest"] for output in outputs.values()}
    return iter(found)


async def _holds(read: Callable[[str], Awaitable[bytes]], digest: str) -> bool:
    """Reading checks that the bytes are what the digest says."""
    try:
        await read(digest)
    except ArtifactError:
        return False
    return True
