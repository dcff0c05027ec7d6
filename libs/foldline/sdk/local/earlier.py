"""What an earlier local run gives to a partial one: outputs and metrics of steps that are not to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.evolve import fold
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState
from foldline.domain.spec import Graph
from foldline.sdk.record import Record
from foldline.wire import events


def given_by(home: Path, run_id: str, graph: Graph, selected: Sequence[str]) -> dict[str, Reuse]:
    """For RunCreated.given: of each step outside of `selected` that the run completed. `run_id` may be the
    beginning of one. Raises NOT_FOUND."""
    state = _state(_folder(home, run_id))
    wanted = {step.name for step in graph.steps}.difference(selected)
    return {
        step.name: Reuse(
            run_id=state.created.run_id,
            step=step.name,
            attempt=len(step.attempts),
            outputs=step.outputs,
            metrics=step.metrics,
        )
        for step in state.steps
        if step.name in wanted and step.status == "completed" and step.kind != "condition"
    }


def _folder(home: Path, run_id: str) -> Path:
    found = sorted((home / "runs").glob(f"{run_id}*")) if run_id.replace("-", "").isalnum() else []
    if len(found) != 1:
        what = "several runs" if found else "no run"
        message = f"there is {what} in {home / 'runs'} whose id begins with {run_id}"
        raise FoldlineError(Kind.NOT_FOUND, "UNKNOWN_RUN", message)
    return found[0]


def _state(folder: Path) -> RunState:
    history = []
    for entry in Record(folder).read():
        event = events.decode(entry.type, msgspec.json.encode(entry.data).decode())
        history.append((event, entry.time))
    return fold(history)  # type: ignore[arg-type]  # the record of a run holds events of runs
