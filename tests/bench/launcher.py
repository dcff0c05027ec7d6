"""`python -m tests.bench.launcher`: what one attempt costs in the backend of processes, without a platform.

Attempts that do nothing, one at a time and several at once, through a Launcher alone. Beside the wall time
stands the CPU of everybody who had a part in it, which other work on the machine does not change much: this
process, the warm parent, and the processes of the attempts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from foldline.runtime.jobs import Facts, Job, Line
from foldline.runtime.launcher import Launcher

CASES = {"fresh": (False, 1), "fresh at once": (False, 8), "shared": (True, 1), "shared at once": (True, 8)}
"""Is it shared, and how many run at once."""

CPU = ("launcher", "parent", "steps")
PAGES = ("parent_pages", "steps_pages")
"""How many pages were copied or mapped: nearly all CPU of a fresh attempt, and the same on any machine."""

_MODULE = "import foldline as fl\n\n\n@fl.step\ndef nothing():\n    return None\n"
_ENVIRON = {"PATH": "/usr/bin:/bin"}
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.launcher", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line per result")
    parser.add_argument("--case", choices=CASES, help="only this case")
    parser.add_argument("--count", type=int, default=500, help="attempts of each case")
    options = parser.parse_args()
    for case in [options.case] if options.case else CASES:
        result = {"case": f"launcher {case}", **uvloop.run(_measure(*CASES[case], options.count))}
        sys.stdout.write((json.dumps(result) if options.json else _row(result)) + "\n")


async def _measure(is_shared: bool, at_once: int, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="foldline-bench-") as folder:
        place = Path(folder)
        (place / "bundle").mkdir()
        (place / "bundle" / "steps.py").write_text(_MODULE)
        async with Launcher(place / "launcher", environ=_ENVIRON) as launcher:
            numbers = iter(range(10**9))

            async def several(count: int) -> list[float]:
                took = []
                for _ in range(count):
                    job = _job(place, next(numbers), is_shared)
                    began = time.perf_counter()
                    outcome = await launcher.run(job, _hear)
                    took.append((time.perf_counter() - began) * 1000)
                    assert outcome.failure is None, outcome.failure
                    shutil.rmtree(job.folder, ignore_errors=True)
                return took

            await asyncio.gather(*(several(20) for _ in range(at_once)))
            before, began = _taken(), time.perf_counter()
            lists = await asyncio.gather(*(several(count // at_once) for _ in range(at_once)))
            wall, after = time.perf_counter() - began, _taken()
    took = [one for some in lists for one in some]
    cpu = {name: round((after[name] - before[name]) / len(took) * 1000, 3) for name in CPU}
    return {
        "attempt_ms": {**_summary(took), "n": len(took)},
        "attempts_per_s": round(len(took) / wall, 1),
        "cpu_ms": {**cpu, "all": round(sum(cpu.values()), 3)},
        "pages": {name: round((after[name] - before[name]) / len(took), 1) for name in PAGES},
        "load": round(os.getloadavg()[0], 1),
    }


def _job(place: Path, number: int, is_shared: bool) -> Job:
    return Job(
        key=f"run/step/{number}",
        python=Path(sys.executable),
        bundle=place / "bundle",
        module="steps",
        function="nothing",
        folder=place / f"attempt-{number}",
        outputs=(("output", "any"),),
        facts=Facts(run_id="run", step="step", workspace="default", workflow="bench"),
        is_shared=is_shared,
    )


async def _hear(_: Sequence[Line]) -> None:
    """Nobody listens."""


def _taken() -> dict[str, float]:
    """Seconds of CPU until now, and pages that the kernel had to provide: of this process, of the warm
    parent, and of all that it has forked."""
    below = _children(os.getpid())
    steps = [pid for parent in below for pid in _children(parent)]
    return {
        "launcher": time.process_time(),
        "parent": sum(_stat(pid, 13, 14) for pid in below) / _TICKS,
        "steps": (sum(_stat(pid, 15, 16) for pid in below) + sum(_stat(pid, 13, 14) for pid in steps))
        / _TICKS,
        "parent_pages": sum(_stat(pid, 9) for pid in below),
        "steps_pages": sum(_stat(pid, 10) for pid in below) + sum(_stat(pid, 9) for pid in steps),
    }


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def _stat(pid: int, *fields: int) -> int:
    """The sum of fields of /proc/PID/stat, numbered from 0."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(values[field - 2]) for field in fields)


def _summary(samples: Sequence[float]) -> dict[str, float]:
    numbers = {"median": statistics.median(samples), "min": min(samples), "max": max(samples)}
    return {name: round(value, 3) for name, value in numbers.items()}


def _row(result: dict[str, Any]) -> str:
    took, cpu = result["attempt_ms"], result["cpu_ms"]
    parts = "  ".join(f"{name} {cpu[name]:6.3f}" for name in cpu)
    pages = " ".join(f"{number:.0f}" for number in result["pages"].values())
    return (
        f"{result['case']:24} ms: median {took['median']:7.3f} min {took['min']:7.3f}"
        f"  {result['attempts_per_s']:8.1f}/s  CPU ms: {parts}  pages: {pages}"
    )


if __name__ == "__main__":
    main()
