"""Turning back what an ending did, so that a step can run once more: parts of `evolve`.

A step that is retried waits again, and so does everything that was skipped or never started because of
it. What was skipped for other reasons is decided anew and skipped again.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from foldline.domain.failures import Failure
from foldline.domain.run import RunState, StepState, counts_as_failed

BECAUSE_OF_OTHERS = frozenset({"failed", "upstream", "handler"})
"""Reasons for skipping that an outcome of other steps gave."""


def step(state: RunState, retried: StepState, at: datetime) -> RunState:
    """The state in which `retried` (its status is new already) waits, with all that hangs on it."""
    place = state.plan.index[retried.name]
    was_final = state.steps[place].is_final
    has_begun = bool(retried.attempts) or _was_held(retried)
    retried = replace(_waiting(retried), ready_at=at, due_at=at)
    if has_begun:  # one that had not even asked for an equal attempt still has to
        retried = replace(retried, is_confirmed=True, reuse_key="-")
    steps = state.steps.set(place, retried)
    queue = [place]
    revived = [place] if was_final else []
    for one in queue:
        for other in state.plan.feeds[one]:
            behind = steps[other]
            if behind.status == "skipped" and behind.skipped_for in BECAUSE_OF_OTHERS:
                steps = steps.set(other, _waiting(behind))
                queue.append(other)
                revived.append(other)
    return _recounted(replace(state, steps=steps), revived, at)


def run(state: RunState, at: datetime) -> RunState:
    """The state of a run that goes on after its end: what was never started waits again, handlers too."""
    steps = state.steps
    revived = []
    for place, one in enumerate(state.steps):
        declared = state.plan.graph.steps[place]
        if one.is_abandoned or (declared.handles and one.is_final):
            is_held = declared.effects == "unsafe" and bool(one.attempts)
            steps = steps.set(place, _held(one) if is_held else _waiting(one))
            revived.append(place)
    state = replace(state, steps=steps, outcome="", forced=False, failure=None, outputs={}, ended_at=None)
    return _recounted(state, revived, at)


def _waiting(one: StepState) -> StepState:
    return replace(
        one,
        status="waiting",
        forgiven=len(one.attempts),
        note="",
        skipped_for="",
        failure=None,
        retry_at=None,
        answer=None,
        outputs={},
        metrics={},
        children=None,
        reused_from="",
        reuse_key="",
        parameters=None,
        is_abandoned=False,
        ended_at=None,
    )


def _was_held(one: StepState) -> bool:
    """Was it held without an attempt, because of one in an earlier run?"""
    return one.failure is not None and one.failure.kind == "unsafe"


def _held(one: StepState) -> StepState:
    """An unsafe step that has begun before does not run again before a person says so."""
    message = f"attempt {len(one.attempts)} may have had its effect, and the step is unsafe to run again"
    failure = one.failure or Failure(kind="unsafe", reason="MAY_HAVE_RUN", message=message)
    return replace(_waiting(one), status="held", failure=failure, note=failure.message)


def _recounted(state: RunState, revived: list[int], at: datetime) -> RunState:
    """Counters that follow from the steps, after `revived` became open again."""
    steps = state.steps
    touched = set(revived)
    for place in revived:
        touched.update(state.plan.feeds[place])
    for place in touched:
        left = sum(not steps[need].is_final for need in state.plan.needs[place])
        handles = bool(state.plan.graph.steps[place].handles)
        one = replace(steps[place], open_needs=left)
        if not one.is_final:
            since = None if left or (handles and state.status != "ending") else at
            one = replace(one, ready_at=since, due_at=since)
        steps = steps.set(place, one)
    if state.status == "ending":
        left = sum(not steps[place].is_final for place in state.plan.handlers)
        return replace(state, steps=steps, open_steps=left)
    main = [(place, one) for place, one in enumerate(steps) if not state.plan.graph.steps[place].handles]
    failed = [(place, one) for place, one in main if counts_as_failed(state, one)]
    return replace(
        state,
        steps=steps,
        open_steps=sum(not one.is_final for _, one in main),
        failed_units=frozenset(place // state.unit_size for place, _ in failed),
        failed_step=failed[0][1].name if failed else "",
    )
