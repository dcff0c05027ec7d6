"""Cases of the pure core: folding events, and planning a fork.

Beside the time on the wall stands the processor's, which says the same on a machine that is busy.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import cast

import asyncpg

from foldline.chassis.clock import SystemClock, new_id
from foldline.domain.evolve import fold
from foldline.domain.forecast import plan as plan_of
from foldline.domain.fork import Edits, fork
from foldline.domain.recall import index
from foldline.domain.run_events import RunEvent
from foldline.eventstore import facts
from foldline.eventstore.port import NO_STREAM
from foldline.eventstore.postgres import PostgresEventStore
from foldline.pg.connect import pool
from foldline.sdk.changes import Change
from foldline.wire import events as codec
from tests.bench import made
from tests.bench.bench import Bench, note
from tests.bench.results import Isolation, Result

PLANNED_STEPS = 10_000
FOLDS = 5

_STREAM = "select type, time, payload from ledger.events where stream = $1 order by version"


async def replay(bench: Bench, isolation: Isolation) -> list[Result]:
    """A run of 2,000 steps that was carried out, folded from its events: they alone, and read from text."""
    run_id = await bench.client.runs.start(bench.release("big", isolation))
    await bench.ledger.until_completed([run_id])
    rows = await bench.ledger.connection.fetch(_STREAM, f"run-{run_id}")
    folded: list[float] = []
    decoded: list[float] = []
    alone: list[float] = []
    fold([_event(row) for row in rows])
    for _ in range(FOLDS):
        began = time.perf_counter()
        history = [_event(row) for row in rows]
        middle, used = time.perf_counter(), time.process_time()
        fold(history)
        ended = time.perf_counter()
        alone.append(len(rows) / (time.process_time() - used))
        folded.append(len(rows) / (ended - middle))
        decoded.append(len(rows) / (ended - began))
    return [
        Result(
            case="replay",
            isolation=isolation,
            measures={
                "events_per_s": folded,
                "decoded_events_per_s": decoded,
                "events_per_cpu_s": alone,
            },
            facts={"events": len(rows), "steps": sum(row["type"] == "AttemptSucceeded" for row in rows)},
        )
    ]


def _event(row: asyncpg.Record) -> tuple[RunEvent, datetime]:
    return cast("RunEvent", codec.decode(row["type"], row["payload"])), row["time"]


async def plan(bench: Bench, isolation: Isolation) -> list[Result]:
    """The plan of a fork of a run of 10,000 steps with another value: by the rules, and by the platform.

    The run's events are made and put into the ledger; to plan a fork of it, nothing needs to have run.
    """
    note(f"plan of {PLANNED_STEPS:,} steps")
    first = made.created(new_id(), bench.client.workspace, PLANNED_STEPS)
    history = made.history(first)
    origin = fold(history)
    edited = fork(origin, Edits(values={"left": 2}), run_id="plan", code=None)
    both: list[float] = []
    plans: list[float] = []
    used: list[float] = []
    for _ in range(FOLDS):
        began = time.perf_counter()
        known = index([origin])
        middle, before = time.perf_counter(), time.process_time()
        planned = plan_of(edited, known)
        ended = time.perf_counter()
        used.append(time.process_time() - before)
        plans.append(ended - middle)
        both.append(ended - began)
    through = await _through_the_platform(bench, history)
    reused = sum(one.action == "reuse" for one in planned)
    return [
        Result(
            case="plan",
            isolation=isolation,
            measures={
                "seconds": plans,
                "cpu_seconds": used,
                "with_index_seconds": both,
                "platform_first_seconds": through[:1],
                "platform_seconds": through[1:],
            },
            facts={"steps": len(planned), "reused": reused},
        )
    ]


async def _through_the_platform(bench: Bench, history: made.History) -> list[float]:
    """PlanFork from the client to its answer; the first time the scheduler has to read the run."""
    run_id = history[0][0].run_id  # type: ignore[union-attr]  # a history begins with RunCreated
    await _put(bench, run_id, history)
    change = Change(values={"left": 2})
    samples = []
    for _ in range(1 + max(bench.repeats, 1)):
        began = time.perf_counter()
        planned = await bench.client.runs.plan_fork(run_id, change)
        samples.append(time.perf_counter() - began)
        assert len(planned) == PLANNED_STEPS
    return samples


async def _put(bench: Bench, run_id: str, history: made.History) -> None:
    dsn = bench.installation.dsn()
    meta = facts.Meta(actor="service:bench", workspace=bench.client.workspace)
    new = facts.new_events((event for event, _ in history), meta, SystemClock().now())
    async with pool(dsn, name="bench") as connections, PostgresEventStore(connections, dsn) as store:
        await store.append(f"run-{run_id}", NO_STREAM, new)
