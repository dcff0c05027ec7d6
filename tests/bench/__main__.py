"""`python -m tests.bench`: starts an installation of its own, measures, prints a table or JSON lines.

Standard output holds results alone; what it is doing goes to standard error. The method: docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foldline.sdk.client import Client
from tests.bench import floors, ledger
from tests.bench.bench import Bench, note
from tests.bench.cases import CASES
from tests.bench.conditions import conditions
from tests.bench.installation import Installation, installed
from tests.bench.results import ISOLATIONS, Isolation, line
from tests.bench.table import table

REPEATS = 5


def main() -> None:
    options = options_of()
    # Told to end, it still takes down what it has put up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="foldline-bench-") as name:
        folder = Path(name)
        machine = floors.of_machine(folder)
        note("starting an installation")
        with installed(folder / "home") as installation:
            lines = asyncio.run(_measure(installation, folder, machine, options))
    if not options.json:
        sys.stdout.write(table(lines))


def options_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for; ends the program where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line per result, at once")
    parser.add_argument("--case", type=_cases, default=list(CASES), help="only these, with commas between")
    parser.add_argument(
        "--isolation", choices=ISOLATIONS, help="only this one; cases that have none use it where it is given"
    )
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"how often ({REPEATS})")
    parser.add_argument("--long", action="store_true", help="also what takes minutes: a map of 100,000 items")
    return parser.parse_args(words)


def _cases(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := sorted(set(names) - set(CASES)):
        raise argparse.ArgumentTypeError(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    return names


def isolations_of(case: str, wanted: Isolation | None) -> Sequence[Isolation]:
    """Both, or the one that is wanted; a case that does not depend on it is measured once, fresh."""
    if CASES[case].depends:
        return (wanted,) if wanted else ISOLATIONS
    return (wanted or "fresh",)


async def _measure(
    installation: Installation, folder: Path, machine: dict[str, float], options: argparse.Namespace
) -> list[dict[str, Any]]:
    where = installation.client
    lines: list[dict[str, Any]] = []
    async with (
        Client(where["server"], where["token"], workspace=where["workspace"]) as client,
        ledger.opened(installation.dsn()) as opened,
    ):
        bench = Bench(
            installation, client, opened, folder=folder, repeats=options.repeats, is_long=options.long
        )
        found = await conditions(bench)
        note("measuring the floors")
        floor = machine | await floors.of_servers(installation)
        for case in options.case:
            for isolation in isolations_of(case, options.isolation):
                note(f"{case}, {isolation}: {CASES[case].says}")
                for result in await CASES[case].measure(bench, isolation):
                    lines.append(line(result, floor, found))
                    if options.json:
                        sys.stdout.write(json.dumps(lines[-1]) + "\n")
                        sys.stdout.flush()
    return lines


if __name__ == "__main__":
    main()
