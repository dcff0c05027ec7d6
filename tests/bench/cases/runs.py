"""Cases that run steps which do nothing, in either isolation, everything durable."""

from __future__ import annotations

import asyncio
import time

from tests.bench import hops
from tests.bench.bench import Bench, note
from tests.bench.ledger import Fact
from tests.bench.processes import proportional_megabytes
from tests.bench.results import Against, Isolation, Result, percentile, summary

MANY_RUNS = 200
STARTS = 20
ITEMS = (1_000, 10_000)
LONG_ITEMS = 100_000

COMMIT = ("commit_one_row", "nats_request")
"""What a dispatched step cannot do without: a commit, and a message there and back."""


async def chain(bench: Bench, isolation: Isolation) -> list[Result]:
    workflow = bench.release("chain", isolation)
    await bench.run(workflow)
    before = bench.installation.stack.spent()
    per_step: list[float] = []
    whole: list[float] = []
    split: dict[str, list[float]] = {name: [] for name in hops.HOPS}
    steps = begun_ahead = 0
    for _ in range(bench.repeats):
        _, facts = await bench.run(workflow)
        steps = _steps(facts)
        begun_ahead += hops.ahead(facts)
        per_step += hops.per_step_ms(facts)
        whole.append(hops.run_ms(facts) / steps)
        for name, samples in hops.hops_ms(facts).items():
            split[name] += samples
    median = summary(per_step)["median"]
    return [
        Result(
            case="chain",
            isolation=isolation,
            measures={"ms_per_step": per_step, "ms_per_step_of_run": whole},
            facts={
                "steps": steps,
                "runs": bench.repeats,
                "warm": True,
                "begun_ahead": begun_ahead,
                "hops_ms": hops.medians(split),
                "cpu_ms_per_step": _spent(bench, before, steps * bench.repeats),
            },
            against=Against(median, _with_fork(COMMIT, isolation)),
        )
    ]


async def fan(bench: Bench, isolation: Isolation) -> list[Result]:
    workflow = bench.release("fan", isolation)
    await bench.run(workflow)
    before = bench.installation.stack.spent()
    rates: list[float] = []
    steps = 0
    for _ in range(bench.repeats):
        _, facts = await bench.run(workflow)
        steps = _steps(facts)
        rates.append(steps / (hops.run_ms(facts) / 1000))
    return [
        Result(
            case="fan",
            isolation=isolation,
            measures={"steps_per_s": rates},
            facts={
                "steps": steps,
                "runs": bench.repeats,
                "warm": True,
                "cpu_ms_per_step": _spent(bench, before, steps * bench.repeats),
            },
            against=_one_of_many(rates, isolation),
        )
    ]


async def many(bench: Bench, isolation: Isolation) -> list[Result]:
    workflow = bench.release("many", isolation)
    await bench.run(workflow)
    before = bench.installation.stack.spent()
    rates: list[float] = []
    slowest: list[float] = []
    medians: list[float] = []
    for _ in range(bench.repeats):
        asked, facts = await all_at_once(bench, workflow)
        seconds = [run[-1].time - began for began, run in zip(asked, facts, strict=True)]
        took = max(run[-1].time for run in facts) - min(asked)
        rates.append(sum(map(_steps, facts)) / took)
        slowest.append(percentile(seconds, 0.95))
        medians.append(percentile(seconds, 0.5))
    return [
        Result(
            case="many",
            isolation=isolation,
            measures={"steps_per_s": rates, "run_p95_s": slowest, "run_p50_s": medians},
            facts={
                "runs": MANY_RUNS,
                "steps": MANY_RUNS * 5,
                "rounds": bench.repeats,
                "warm": True,
                "cpu_ms_per_step": _spent(bench, before, MANY_RUNS * 5 * bench.repeats),
            },
            against=_one_of_many(rates, isolation),
        )
    ]


async def all_at_once(bench: Bench, workflow: str) -> tuple[list[float], list[list[Fact]]]:
    asked: list[float] = []

    async def submit() -> str:
        asked.append(time.time())
        return await bench.client.runs.start(workflow)

    run_ids = await asyncio.gather(*(submit() for _ in range(MANY_RUNS)))
    await bench.ledger.until_completed(run_ids)
    return asked, [await bench.ledger.history(run_id) for run_id in run_ids]


async def start(bench: Bench, isolation: Isolation) -> list[Result]:
    """From the call of StartRun to the step's first line: both by the one clock of this machine."""
    workflow = bench.release("start", isolation)
    await bench.run(workflow)
    samples: list[float] = []
    for _ in range(bench.repeats * STARTS):
        asked, facts = await bench.run(workflow)
        samples.append((_first_line(facts) - asked) * 1000)
    median = summary(samples)["median"]
    return [
        Result(
            case="start",
            isolation=isolation,
            measures={"submit_to_step_ms": samples},
            facts={"steps": 1, "runs": len(samples), "warm": True},
            against=Against(median, _with_fork(("grpc_unary", *COMMIT), isolation)),
        )
    ]


def _first_line(facts: list[Fact]) -> float:
    ended = next(fact for fact in facts if fact.type == "AttemptSucceeded")
    return float(ended.data["outputs"]["output"]["value"][0])


async def map_(bench: Bench, isolation: Isolation) -> list[Result]:
    """The cost of an item at several lengths of the list, and what the scheduler's memory does."""
    workflow = bench.release("map", isolation)
    await bench.run(workflow, {"count": 100})
    results = []
    for items in (*ITEMS, *((LONG_ITEMS,) if bench.is_long else ())):
        costs: list[float] = []
        before = _memory(bench)
        for _ in range(min(bench.repeats, 3) if items == ITEMS[0] else 1):
            note(f"map of {items:,} items, {isolation}")
            _, facts = await bench.run(workflow, {"count": items})
            costs.append((facts[-1].time - _expanded(facts)) * 1000 / items)
        results.append(
            Result(
                case="map",
                isolation=isolation,
                measures={"ms_per_item": costs, "items_per_s": [1000 / cost for cost in costs]},
                facts={
                    "items": items,
                    "warm": True,
                    "scheduler_pss_mb": {"before": before, "after": _memory(bench)},
                },
            )
        )
    return results


def _spent(bench: Bench, before: dict[str, float], steps: int) -> dict[str, float]:
    """Processor time by program: unlike time on the wall it hardly depends on what else the machine does."""
    after = bench.installation.stack.spent()
    each = {name: max(0.0, used - before.get(name, 0.0)) * 1000 / steps for name, used in after.items()}
    return {"total": round(sum(each.values()), 3), **{name: round(one, 3) for name, one in each.items()}}


def _memory(bench: Bench) -> float:
    return round(proportional_megabytes(bench.installation.pid("scheduler")), 1)


def _expanded(facts: list[Fact]) -> float:
    return next(fact.time for fact in facts if fact.type == "StepExpanded")


def _steps(facts: list[Fact]) -> int:
    return sum(fact.type == "AttemptSucceeded" for fact in facts)


def _one_of_many(rates: list[float], isolation: Isolation) -> Against:
    """Of steps side by side: three events each, committed with others', and a process if it is fresh."""
    floors = ("row_of_hundred",) * 3
    return Against(1000 / summary(rates)["median"], _with_fork(floors, isolation))


def _with_fork(floors: tuple[str, ...], isolation: Isolation) -> tuple[str, ...]:
    """A process of its own has to be forked some time, though not while the step waits for it."""
    return (*floors, "fork") if isolation == "fresh" else floors
