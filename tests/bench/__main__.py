"""`python -m tests.bench`: starts an installation of its own, measures, prints a table or JSON lines.

Every step is a Python function that does nothing, in a fresh process of its own, everything durable. Times
are taken from the events themselves: one step of a chain costs what lies between its StepScheduled and the
next one's, which is every hop there is (order, fork, run, store, report, decide, commit). The floors are
measured beside them in the same sitting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from foldline.sdk.client import Client
from tests.bench import floors

WORKFLOWS = Path(__file__).with_name("workflows")
REPEATS = 5
FOLDLINE = (sys.executable, "-m", "foldline.cli.main")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line per result")
    parser.add_argument("--case", choices=sorted(CASES), help="only this case")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foldline-bench-") as folder:
        home = Path(folder) / "home"
        # Before the client: a fork of a process with gRPC's threads is another measurement.
        floor = [{"case": "floor", **one} for one in floors.measure()]
        _foldline(home, "up", "--detach")
        try:
            results = asyncio.run(_measure(home, [options.case] if options.case else list(CASES)))
        finally:
            _foldline(home, "down")
    for result in results + floor:
        sys.stdout.write((json.dumps(result) if options.json else _row(result)) + "\n")


async def _measure(home: Path, cases: Sequence[str]) -> list[dict[str, Any]]:
    where = json.loads((home / "client.json").read_text())
    for name in ("chain", "fan", "start"):
        _foldline(home, "release", str(WORKFLOWS / f"{name}.py"))
    results = []
    async with Client(where["server"], where["token"], workspace=where["workspace"]) as client:
        for case in cases:
            await CASES[case](client)  # warm: environment built, module imported, plans compiled
            samples = [value for _ in range(REPEATS) for value in await CASES[case](client)]
            results.append({"case": case, "isolation": "fresh", **_summary(UNITS[case], samples)})
    return results


async def chain(client: Client) -> list[float]:
    """Milliseconds per step of a chain of 100, one sample per step."""
    _, events = await _run(client, "chain")
    at = [_time(event) for event in events if event.type == "StepScheduled"]
    return [(later - earlier) * 1000 for earlier, later in pairwise(at)]


async def fan(client: Client) -> list[float]:
    """Steps per second of 200 independent steps and a join."""
    _, events = await _run(client, "fan")
    steps = [event for event in events if event.type == "AttemptSucceeded"]
    return [len(steps) / (_time(events[-1]) - _time(events[0]))]


async def start(client: Client) -> list[float]:
    """Milliseconds from the call of StartRun to the step's process, by one clock."""
    asked, events = await _run(client, "start")
    began = next(event for event in events if event.type == "AttemptStarted")
    return [(_time(began) - asked) * 1000]


CASES: dict[str, Callable[[Client], Awaitable[list[float]]]] = {"chain": chain, "fan": fan, "start": start}
UNITS = {"chain": "ms_per_step", "fan": "steps_per_s", "start": "submit_to_step_ms"}


async def _run(client: Client, workflow: str) -> tuple[float, list[Any]]:
    asked = time.time()
    run_id = await client.runs.start(workflow)
    async for update in client.runs.watch(run_id):
        status = update.run.status
    if status != "completed":
        raise SystemExit(f"run {run_id} of {workflow} is {status}: nothing to measure")
    return asked, [event async for page in client.records.history(run_id) for event in page.events]


def _time(event: Any) -> float:
    return float(event.time.seconds) + float(event.time.nanos) / 1e9


def _summary(unit: str, samples: list[float]) -> dict[str, Any]:
    numbers = {"median": statistics.median(samples), "min": min(samples), "max": max(samples)}
    return {unit: {**{name: round(value, 3) for name, value in numbers.items()}, "n": len(samples)}}


def _row(result: dict[str, Any]) -> str:
    unit, numbers = next((name, value) for name, value in result.items() if isinstance(value, dict))
    name = f"{result['case']} {result.get('name') or result.get('isolation')}"
    return (
        f"{name:32} {unit:20} median {numbers['median']:10} min {numbers['min']:10} max {numbers['max']:10}"
    )


def _foldline(home: Path, *arguments: str) -> None:
    subprocess.run([*FOLDLINE, *arguments, "--home", str(home)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
