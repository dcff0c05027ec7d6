"""Runs on a terminal: tables, timelines, and the picture of a run that goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace
from rich.console import Group
from rich.table import Table
from rich.text import Text

from foldline.cli import notes, views
from foldline.cli.views import RunView, StepView
from foldline.execution import escapes

_STYLES = {
    "waiting": "dim",
    "created": "dim",
    "scheduled": "cyan",
    "running": "bold cyan",
    "retrying": "yellow",
    "stopping": "yellow",
    "paused": "yellow",
    "ending": "cyan",
    "asking": "bold magenta",
    "awaiting": "bold magenta",
    "held": "bold yellow",
    "completed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "stopped": "yellow",
}
_SIGNS = {
    "waiting": "·",
    "scheduled": "○",
    "running": "●",
    "retrying": "↻",
    "stopping": "◌",
    "asking": "?",
    "awaiting": "?",
    "held": "!",
    "completed": "✓",
    "failed": "✗",
    "skipped": "–",
    "stopped": "■",
}
_BAR_WIDTH = 24
_ADVICE_LINES = 5
_NOW = ("failed", "running", "retrying", "stopping", "asking", "awaiting", "held")
_RANKS = {**dict.fromkeys(_NOW, 0), "scheduled": 1}


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Plain rows under headings; statuses in their colours."""
    found = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        found.add_column(name, overflow="fold")
    for row in rows:
        found.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    return found


def run(view: RunView, now: datetime, height: int, advice: Sequence[str] = ()) -> Group:
    """A run with its steps and their place in time, as of `now` where it has not ended; below it `advice`.

    Of a run that is longer than the terminal is high, the steps that matter now.
    """
    head = Text.assemble(
        (view.workflow, "bold"),
        "  ",
        (view.status, _STYLES.get(view.status, "")),
        ("  " + views.seconds(_elapsed(view.create_time, view.end_time or now)), "dim"),
        (f"  {view.run_id}", "dim"),
    )
    below = [Text(line, style="magenta") for line in advice[:_ADVICE_LINES]]
    shown = notable(view, max(height - 4 - len(below), 1))
    if len(shown) == len(view.steps):
        return Group(head, steps(view, now), *below)
    counts = Counter(step.status for name, step in view.steps.items() if name not in shown)
    rest = ", ".join(f"{count} {status}" for status, count in counts.items())
    return Group(head, steps(replace(view, steps=shown), now), Text(f"… {rest}", style="dim"), *below)


def notable(view: RunView, count: int) -> dict[str, StepView]:
    """At most `count` steps, in the graph's order: those that run or failed first, then the last to end."""
    if len(view.steps) <= count:
        return view.steps

    def rank(step: StepView) -> tuple[int, float]:
        since = -step.end_time.timestamp() if step.end_time and step.start_time else 0.0
        return _RANKS.get(step.status, 2), since

    chosen = {step.name for step in sorted(view.steps.values(), key=rank)[:count]}
    return {name: step for name, step in view.steps.items() if name in chosen}


def steps(view: RunView, now: datetime) -> Table:
    """One row per step: sign, name, status, duration, bar, note."""
    found = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    found.add_column(no_wrap=True)
    found.add_column(no_wrap=True)
    found.add_column(no_wrap=True)
    found.add_column(no_wrap=True, justify="right")
    found.add_column(no_wrap=True)
    found.add_column(overflow="fold", style="dim")
    for step in view.steps.values():
        style = _STYLES.get(step.status, "")
        end = step.end_time or (now if step.start_time else None)
        found.add_row(
            Text(_SIGNS.get(step.status, "?"), style=style),
            Text(step.name, style="dim" if step.status in ("waiting", "skipped") else ""),
            Text(step.status, style=style),
            views.duration(step.start_time, end) if step.kind != "condition" else "",
            Text(bar(step, view, now), style=style),
            Text(escapes.plain(notes.note(step))),
        )
    return found


def bar(step: StepView, view: RunView, now: datetime) -> str:
    """Where in the run's time the step's lies."""
    if step.start_time is None or view.create_time is None or step.kind == "condition":
        return ""
    whole = max(_elapsed(view.create_time, view.end_time or now), 0.001)
    start = _elapsed(view.create_time, step.start_time) / whole
    end = _elapsed(view.create_time, step.end_time or now) / whole
    left = min(int(start * _BAR_WIDTH), _BAR_WIDTH - 1)
    width = max(1, round((end - start) * _BAR_WIDTH))
    return " " * left + "━" * min(width, _BAR_WIDTH - left)


def _elapsed(start: datetime | None, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds()) if start else 0.0
