"""Which ready steps start now: as many as there are processors, and of a map no more items than it allows."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

from foldline.domain.run import RunState
from foldline.sdk.local.runs import Open


class Room:
    def __init__(self, slots: int) -> None:
        self._slots = slots

    def choose(
        self, ready: Mapping[str, tuple[str, ...]], runs: Mapping[str, Open], running: int
    ) -> tuple[str, tuple[str, ...]] | None:
        """Steps of one run to start; None when none may. Runs that are there longer go first."""
        free = self._slots - running
        for run_id, names in ready.items():
            if free > 0 and names and run_id in runs:
                chosen = self._of(runs[run_id].state, names, runs)[:free]
                if chosen:
                    return run_id, chosen
        return None

    def _of(self, state: RunState, names: tuple[str, ...], runs: Mapping[str, Open]) -> tuple[str, ...]:
        parent = state.created.parent
        if parent is UNSET or not parent.parallelism:
            return names
        siblings = [
            run.state
            for run in runs.values()
            if (other := run.state.created.parent) is not UNSET
            and (other.run_id, other.step) == (parent.run_id, parent.step)
        ]
        open_items = sum(len(_begun(one)) for one in siblings)
        begun = _begun(state)
        chosen = []
        for name in names:
            item = state.plan.index[name] // state.unit_size
            if item not in begun and open_items < parent.parallelism:
                begun.add(item)
                open_items += 1
            if item in begun:
                chosen.append(name)
        return tuple(chosen)


def _begun(state: RunState) -> set[int]:
    """Items of a map's child of which something has begun, and not all has ended."""
    begun: set[int] = set()
    size = state.unit_size
    for item in range(len(state.steps) // size):
        steps = [state.steps[place] for place in range(item * size, (item + 1) * size)]
        is_begun = any(step.started_at is not None or step.attempts for step in steps)
        if is_begun and not all(step.is_final for step in steps):
            begun.add(item)
    return begun
