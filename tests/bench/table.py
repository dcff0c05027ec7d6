"""Results as a table for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = tuple[str, ...]

AIMS = {
    ("chain", "shared", "ms_per_step"): "<= 2.0",
    ("chain", "fresh", "ms_per_step"): "<= 5",
    ("fan", "shared", "steps_per_s"): ">= 2500",
    ("fan", "fresh", "steps_per_s"): ">= 350",
    ("many", "shared", "steps_per_s"): ">= 2200",
    ("many", "shared", "run_p95_s"): "<= 0.5",
    ("many", "fresh", "steps_per_s"): ">= 300",
    ("start", "shared", "submit_to_step_ms"): "<= 5",
    ("start", "fresh", "submit_to_step_ms"): "<= 8",
    ("cold", "", "seconds"): "<= 5",
    ("cold", "", "restart_seconds"): "<= 2",
    ("idle", "", "cpu_percent"): "<= 2",
    ("memory", "", "pss_mb"): "<= 400",
    ("disk", "", "postgres_bytes_per_step"): "<= 1024",
    ("disk", "", "wal_bytes_per_step"): "<= 1536",
    ("plan", "", "seconds"): "<= 1",
}
"""What each number should reach; an empty isolation stands for either."""

_HEAD: Row = ("case", "isolation", "measure", "median", "min", "max", "n", "aim", "x floor")
_BY_NAME = {
    "hops_ms": "hops of a chained step, ms (medians)",
    "cpu_ms_per_step": "processor time of a step, ms",
    "by_process": "by process",
    "bytes_per_step_by_table": "bytes a step by table",
    "scheduler_pss_mb": "memory of the scheduler, MB",
}
"""Splits of a result, shown as lists of their own."""


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """The whole: results, hops, floors, conditions."""
    if not lines:
        return ""
    parts = [_columns([_HEAD, *(row for line in lines for row in _rows(line))])]
    for name, title in _BY_NAME.items():
        splits = [_split(line, name) for line in lines if name in line]
        if splits:
            parts.append(title + "\n" + "\n".join(splits))
    floors = [(name, f"{value:g} ms") for name, value in lines[0]["floors_ms"].items()]
    parts.append("floors (medians)\n" + _columns(floors))
    parts.append(
        "conditions\n" + _columns([(name, str(one)) for name, one in lines[0]["conditions"].items()])
    )
    return "\n\n".join(parts) + "\n"


def _rows(line: Mapping[str, Any]) -> Iterable[Row]:
    ratio = str(line.get("ratio_to_floor", ""))
    for unit, numbers in line.items():
        if not isinstance(numbers, dict) or "median" not in numbers:
            continue
        figures = (f"{numbers[name]:g}" for name in ("median", "min", "max", "n"))
        yield (_case(line), line["isolation"], unit, *figures, _aim(line, unit), ratio)
        ratio = ""


def _aim(line: Mapping[str, Any], unit: str) -> str:
    found = (AIMS.get((line["case"], isolation, unit), "") for isolation in (line["isolation"], ""))
    return next(filter(None, found), "")


def _split(line: Mapping[str, Any], name: str) -> str:
    parts = ", ".join(f"{part} {value:g}" for part, value in line[name].items())
    return f"{_case(line)} {line['isolation']}: {parts}"


def _case(line: Mapping[str, Any]) -> str:
    return f"{line['case']} of {line['items']:,}" if "items" in line else str(line["case"])


def _columns(rows: Sequence[Row]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
