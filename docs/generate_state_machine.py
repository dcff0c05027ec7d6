"""Prints docs/state-machine.md from the transition tables: `python docs/generate_state_machine.py`.

`tests/architecture/test_generated_docs.py` fails when the committed page differs from what this prints.
"""

from __future__ import annotations

import sys
from pathlib import Path

from foldline.domain.transitions import RUN, STEP

PAGE = Path(__file__).with_name("state-machine.md")

INTRODUCTION = """# The state machine of a run

Printed from `libs/foldline/domain/transitions.py` by `docs/generate_state_machine.py`; do not edit. What an
event does beyond the status is in `run.evolve`; which event answers which command is in `decide.decide`. An
event that is not drawn here is refused in that status.
"""


def diagram(table: dict[str, dict[str, str]], first: str) -> str:
    """A Mermaid state diagram; events between the same two statuses share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for status, moves in table.items():
        for event, target in moves.items():
            arrows.setdefault((status, target), []).append(event)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    lines += [
        f"    {source} --> {target}: {', '.join(events)}" for (source, target), events in arrows.items()
    ]
    lines += [f"    {status} --> [*]" for status, moves in table.items() if not moves]
    return "\n".join([*lines, "```"])


def rows(table: dict[str, dict[str, str]]) -> str:
    lines = ["| status | event | next status |", "|---|---|---|"]
    for status, moves in table.items():
        lines += [f"| {status} | {event} | {target} |" for event, target in moves.items()]
        if not moves:
            lines.append(f"| {status} | none | final |")
    return "\n".join(lines)


def page() -> str:
    parts = [INTRODUCTION]
    for title, table, first in (("The run", RUN, "created"), ("A step", STEP, "waiting")):
        parts.append(f"\n## {title}\n\n{diagram(table, first)}\n\n{rows(table)}\n")
    parts.append(
        "\nA final run takes one more event: `ReportIgnored`, for a report that came too late. When a run\n"
        "ends, steps that have not ended are shown as stopped.\n"
    )
    return "".join(parts)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(page())
