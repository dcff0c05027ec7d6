"""Cases that ask what the installation takes: processor, memory, disk."""

from __future__ import annotations

import asyncio

from tests.bench.bench import Bench, note
from tests.bench.cases import runs
from tests.bench.results import ISOLATIONS, Isolation, Result

SETTLING_SECONDS = 10.0
IDLE_SECONDS = 10.0

_TABLES = """
    select n.nspname || '.' || c.relname as name, pg_total_relation_size(c.oid) as bytes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname in ('ledger', 'registry', 'scheduler', 'recorder')
"""


async def idle(bench: Bench, isolation: Isolation) -> list[Result]:
    """After one run, so that there are warm processes to keep."""
    await bench.run(bench.release("start", isolation))
    await asyncio.sleep(SETTLING_SECONDS)
    totals: list[float] = []
    shares: dict[str, float] = {}
    for _ in range(min(bench.repeats, 3)):
        total, shares = bench.installation.stack.processor_share(IDLE_SECONDS)
        totals.append(total)
    return [
        Result(
            case="idle",
            isolation=isolation,
            measures={"cpu_percent": totals},
            facts={"seconds_each": IDLE_SECONDS, "of": "one processor", "by_process": shares},
        )
    ]


async def memory(bench: Bench, isolation: Isolation) -> list[Result]:
    """After a fan and many runs of each kind."""
    for each in ISOLATIONS:
        await bench.run(bench.release("fan", each))
        await runs.all_at_once(bench, bench.release("many", each))
    by_process = bench.installation.stack.memory()
    return [
        Result(
            case="memory",
            isolation=isolation,
            measures={"pss_mb": [sum(by_process.values())]},
            facts={"by_process": by_process, "loaded": "a fan of 500 and 200 runs of 5, shared and fresh"},
        )
    ]


async def disk(bench: Bench, isolation: Isolation) -> list[Result]:
    """Around runs of 2,000 steps, the recorder's read models included."""
    workflow = bench.release("big", isolation)
    await _recorded_run(bench, workflow)
    tables: list[float] = []
    database: list[float] = []
    written: list[float] = []
    by_table: dict[str, float] = {}
    steps = 0
    for number in range(min(bench.repeats, 3)):
        note(f"disk, run {number + 1}, {isolation}")
        before = await _sizes(bench)
        steps = await _recorded_run(bench, workflow)
        after = await _sizes(bench)
        growth = {name: (size - before[name]) / steps for name, size in after.items() if name in before}
        written.append(growth.pop("wal"))
        database.append(growth.pop("database"))
        tables.append(sum(growth.values()))
        by_table = {name: round(bytes_, 1) for name, bytes_ in growth.items() if bytes_ > 1}
    return [
        Result(
            case="disk",
            isolation=isolation,
            measures={
                "postgres_bytes_per_step": tables,
                "wal_bytes_per_step": written,
                "database_bytes_per_step": database,
            },
            facts={"steps": steps, "bytes_per_step_by_table": by_table},
        )
    ]


async def _recorded_run(bench: Bench, workflow: str) -> int:
    """Run it, and wait until the recorder has heard of its end, too; how many steps there were."""
    run_id = await bench.client.runs.start(workflow)
    await bench.ledger.until_completed([run_id])
    async for _ in bench.client.runs.watch(run_id):
        pass
    return sum(fact.type == "AttemptSucceeded" for fact in await bench.ledger.history(run_id))


async def _sizes(bench: Bench) -> dict[str, float]:
    """Bytes by table, of the whole database, and where the log ends."""
    connection = bench.ledger.connection
    found = {row["name"]: float(row["bytes"]) for row in await connection.fetch(_TABLES)}
    found["database"] = float(await connection.fetchval("select pg_database_size(current_database())"))
    found["wal"] = float(await connection.fetchval("select pg_current_wal_lsn() - '0/0'::pg_lsn"))
    return found
