"""What a run has ready or under way, as the queue takes it. Pure: from a run's state and the time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import UNSET, Struct

from foldline.domain.run import RunState, is_ready, ready
from foldline.domain.spec import Resources, Step
from foldline.domain.work import AttemptKey


class Ready(Struct, frozen=True):
    """A step whose next attempt may be given to an executor."""

    step: str
    attempt: int
    since: datetime  # when it became so
    place: int  # in the graph
    resources: Resources = Resources()
    max_active: int = 0  # the step's own limit over all runs of the workflow; 0 for none
    ranks: int = 0  # processes that each take so much; 0 for one
    image: bool = False  # it runs in a container image
    is_unsafe: bool = False  # running it again might do harm


class Offer(Struct, frozen=True, kw_only=True):
    """Everything of one run that is ready now; or, where `changed` is set, only what of these steps is: the
    others are as in the offer before.
    """

    run_id: str
    workspace: str
    workflow: str
    region: str
    priority: int = 0
    around: dict[str, int] = {}  # limits of the maps that the run is inside of
    steps: tuple[Ready, ...] = ()
    changed: frozenset[str] | None = None
    state: RunState | None = None  # that it was made of


def offer_of(state: RunState, now: datetime, before: RunState | None = None) -> Offer:
    """The offer of a run: `run.ready`, with all that the queue has to know of it.

    With the state of the offer before it is about the difference: quick, however many steps there are.
    """
    if before is None or _differs_as_a_whole(before, state):
        return _offer(state, tuple(_ready(state, name) for name in ready(state, now)))
    changed = {state.steps[place].name: None for place in state.steps.changes(before.steps)}
    changed |= {step.name: None for step in state.steps.timed_ones()}  # time has passed
    steps = (name for name in changed if is_ready(state, state.step(name), now))
    return _offer(state, tuple(_ready(state, name) for name in steps), frozenset(changed))


def _differs_as_a_whole(before: RunState, state: RunState) -> bool:
    """May steps be ready now that have not changed, or the other way round?"""
    if before.takes_work != state.takes_work or before.status != state.status:
        return True
    return before.plan is not state.plan


def nothing_of(state: RunState) -> Offer:
    """The offer of a run that has nothing ready."""
    return _offer(state, ())


def active_of(state: RunState) -> Iterator[tuple[Step, AttemptKey, str]]:
    """Attempts that executors hold, with their sessions."""
    for step in state.steps.active_ones():
        attempt = step.attempts[-1]
        if attempt.executor:
            key = AttemptKey(run_id=state.created.run_id, step=step.name, attempt=attempt.number)
            yield state.plan.step(step.name), key, attempt.executor


def _offer(state: RunState, steps: tuple[Ready, ...], changed: frozenset[str] | None = None) -> Offer:
    created = state.created
    return Offer(
        run_id=created.run_id,
        workspace=created.workspace,
        workflow=created.workflow,
        region=created.region,
        priority=created.priority,
        around={} if created.parent is UNSET else created.parent.around,
        steps=steps,
        changed=changed,
        state=state,
    )


def _ready(state: RunState, name: str) -> Ready:
    place = state.place(name)
    step, declared = state.steps[place], state.plan.graph.steps[place]
    since = step.retry_at if step.status == "retrying" else step.ready_at
    return Ready(
        step=name,
        attempt=len(step.attempts) + 1,
        since=since or state.created_at,
        place=place,
        resources=declared.resources,
        ranks=declared.ranks,
        image=declared.command is not UNSET and bool(declared.command.image),
        is_unsafe=declared.effects == "unsafe",
        max_active=declared.max_active,
    )
