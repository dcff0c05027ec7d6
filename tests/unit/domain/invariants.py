"""What holds of a run after every event, whatever happened."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from tests.unit.domain.playing import Play

from foldline.domain import run_events as ev
from foldline.domain.evolve import evolve
from foldline.domain.paths import path_of
from foldline.domain.run import RunState
from foldline.domain.run_events import RunEvent


def replayed(history: list[tuple[RunEvent, datetime]]) -> RunState:
    """The fold of the history, looked at after every event."""
    state: RunState | None = None
    for version, (event, at) in enumerate(history, start=1):
        state = evolve(state, event, at)
        assert state.version == version
        check(state)
    assert state is not None
    return state


def check(state: RunState) -> None:
    steps = list(state.steps)
    handles = [bool(one.handles) for one in state.plan.graph.steps]
    assert state.active_steps == sum(one.is_active for one in steps)
    if state.is_final:
        assert all(one.is_final for one in steps)
    else:
        counted = [
            one for one, is_one in zip(steps, handles, strict=True) if is_one == (state.status == "ending")
        ]
        assert state.open_steps == sum(not one.is_final for one in counted)
    for place, one in enumerate(steps):
        if not one.is_final:
            assert one.open_needs == sum(not steps[need].is_final for need in state.plan.needs[place])
        numbers = [attempt.number for attempt in one.attempts]
        assert numbers == list(range(1, len(numbers) + 1))
        assert all(attempt.ended_at is not None for attempt in one.attempts[:-1])
    main = [(place, one) for place, one in enumerate(steps) if not handles[place]]
    failed = {place // state.unit_size for place, one in main if one.status == "failed"}
    stopped = {place // state.unit_size for place, one in main if one.status == "stopped"}
    assert failed <= state.failed_units <= failed | stopped
    if state.status == "completed" and not state.created.items:
        assert all(one.status in ("completed", "skipped") for _, one in main)


def check_all(play: Play) -> None:
    """Every run of a play that has come to its end: ended, and the fold of its history."""
    for run_id, state in play.world.runs.items():
        history = play.world.histories[run_id]
        assert state.is_final, (run_id, state.status, [(one.name, one.status) for one in state.steps])
        assert replayed(history) == state
        starts = [(one.step, one.attempt) for one, _ in history if type(one).__name__ == "AttemptStarted"]  # type: ignore[union-attr]
        assert len(starts) == len(set(starts)), run_id
    assert_asked(play)


def assert_asked(play: Play) -> None:
    """No unsafe step began twice, in whatever attempt of what is around it, unless a person named it."""
    begun: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for run_id, history in play.world.histories.items():
        plan = play.world.runs[run_id].plan
        for event, _ in history:
            if isinstance(event, ev.StepScheduled) and plan.step(event.step).effects == "unsafe":
                begun[path_of(run_id, event.step)] += 1
            if isinstance(event, ev.StepRetried):
                asked[path_of(run_id, event.step)] += 1
    assert not {path: count for path, count in begun.items() if count > 1 + asked[path]}
