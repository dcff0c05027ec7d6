"""One campaign: workflows and faults of a seed on an installation, then the checker's verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec

from foldline.artifacts.port import ArtifactError
from foldline.artifacts.store import open_store
from foldline.cli.chaos import checker, faults, plan, workload
from foldline.cli.chaos.checker import Finding
from foldline.cli.chaos.plan import Fault
from foldline.cli.stack.credentials import read_client
from foldline.cli.stack.home import Home
from foldline.eventstore.port import START, Recorded
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg import connect
from foldline.sdk.client import Client

WORKFLOWS = 2
RUNS = 6
PAGE = 1000
LOOK_SECONDS = 0.05
QUIET_SECONDS = 10.0
"""No new event for so long, and nothing will happen any more: without faults the runs have ended by then."""

SETTLE_SECONDS = 180.0
STALLED_SECONDS = 5.0
"""A fault strikes even if its events do not come: the fault before it may be why."""

Release = Callable[[Path], Awaitable[None]]
Note = Callable[[str], None]


class Stand(NamedTuple):
    """The installation that is hurt."""

    home: Home
    dsn: str
    programs: list[str]
    release: Release


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    seed: int
    runs: int
    events: int
    attempts: int
    faults: tuple[Fault, ...]
    findings: tuple[Finding, ...]


async def run(stand: Stand, seed: int, fault_count: int, note: Note) -> Verdict:
    """Play the seed; every finding is in the verdict. Raises NotBack when something does not recover."""
    witness = stand.home.folder / "witness" / str(seed)
    witness.mkdir(parents=True, exist_ok=True)
    made = [workload.make(seed * WORKFLOWS + number, str(witness)) for number in range(WORKFLOWS)]
    for one in made:
        file = stand.home.folder / "workflows" / one.name / f"{one.name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(one.source)
        await stand.release(file)
    struck = plan.make(seed, fault_count, stand.programs)
    async with (
        connect.pool(stand.dsn, name="chaos") as pool,
        PostgresEventStore(pool, stand.dsn) as store,
    ):
        before = await _count(pool)
        expected = await _start(stand.home, [made[number % WORKFLOWS] for number in range(RUNS)], seed)
        await _hurt(stand, pool, struck, note)
        await _settle(pool, note)
        histories = await _histories(store, set(expected))
        after = await _count(pool)
    artifacts = open_store(str(stand.home.artifacts))
    present = {digest: await _holds(artifacts.read, digest) for digest in _digests(histories)}
    files = [one.name for one in witness.iterdir()]
    findings = checker.check(histories, expected, files, lambda digest: present.get(digest, False))
    return Verdict(
        seed=seed,
        runs=len(expected),
        events=after - before,
        attempts=len([one for one in files if not one.endswith(":again")]),
        faults=tuple(struck),
        findings=tuple(findings),
    )


async def _start(home: Home, workloads: Sequence[workload.Workload], seed: int) -> dict[str, int]:
    """Start a run of each; what it must give by its id. Asked again until there is an answer: the request id
    makes it the same run.
    """
    where = read_client(home)
    assert where is not None, "the installation is up"
    expected = {}
    async with Client(where.server, where.token, workspace=where.workspace) as client:
        for number, one in enumerate(workloads):
            run_id = await client.runs.start(one.name, request_id=f"chaos-{seed}-{number}")
            expected[run_id] = one.result
    return expected


async def _hurt(stand: Stand, pool: connect.Pool, struck: Sequence[Fault], note: Note) -> None:
    for fault in struck:
        await _until_more(pool, fault.after)
        note(str(fault))
        await faults.strike(stand.home, fault)


async def _until_more(pool: connect.Pool, more: int) -> None:
    """Wait for so many events, but not for ever: when all runs have ended there are none."""
    loop = asyncio.get_running_loop()
    start, deadline = await _count(pool), loop.time() + STALLED_SECONDS
    while loop.time() < deadline:
        if await _count(pool) >= start + more:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _settle(pool: connect.Pool, note: Note) -> None:
    """Wait until nothing new is written for a while."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLE_SECONDS
    known, since = await _count(pool), loop.time()
    while loop.time() - since < QUIET_SECONDS:
        if loop.time() > deadline:
            note(f"there are still new events after {SETTLE_SECONDS:g} s")
            return
        await asyncio.sleep(LOOK_SECONDS)
        now = await _count(pool)
        if now != known:
            known, since = now, loop.time()


async def _count(pool: connect.Pool) -> int:
    """How many events the ledger has; Postgres may just be away."""
    while True:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return int(await pool.fetchval("select count(*) from ledger.events"))
        await asyncio.sleep(LOOK_SECONDS)


async def _histories(store: PostgresEventStore, roots: set[str]) -> dict[str, list[Recorded]]:
    """All events of these runs and of the runs inside them."""
    found: dict[str, list[Recorded]] = {}
    position = START
    while page := await store.read_all(after=position, limit=PAGE):
        position = page[-1].position
        for one in page:
            category, _, run_id = one.stream.partition("-")
            if category == "run" and run_id.partition(".")[0] in roots:
                found.setdefault(run_id, []).append(one)
    return found


def _digests(histories: Mapping[str, Sequence[Recorded]]) -> set[str]:
    return {
        output["digest"]
        for events in histories.values()
        for one in events
        if one.type == "AttemptSucceeded"
        for output in msgspec.json.decode(one.payload).get("outputs", {}).values()
    }


async def _holds(read: Callable[[str], Awaitable[bytes]], digest: str) -> bool:
    """Reading checks that the bytes are what the digest says."""
    try:
        await read(digest)
    except ArtifactError:
        return False
    return True
