"""Declared caching: whether a step takes what an equal attempt of another run gave, waits for one, or runs.

    mode         takes over   waits for an equal one   offers what it gives
    ""           yes          yes                      yes
    "read_only"  yes          yes                      no
    "refresh"    no           no                       yes
    "off"        no           no                       no

`decide_on` is asked with what was found under the step's key. Of equal steps that are ready at once the one
that gets the claim runs. Nobody waits for an attempt that does not move by itself (its run is paused, a
person has to look at it). Two never wait for each other: a step with a claim waits at most for what runs
inside it, and its key holds the whole of that, so the other way round is impossible.
"""

from __future__ import annotations

from msgspec import UNSET, Struct

from foldline.domain import paths
from foldline.domain.commands import Recall
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState


class Nothing(Struct, frozen=True):
    """No equal attempt is known, or the one that was under way led to nothing."""


class UnderWay(Struct, frozen=True):
    """An equal attempt has been claimed by a step of a run and moves (`moves`)."""

    run_id: str
    step: str


class Wait(Struct, frozen=True):
    """The step asks again once that attempt has ended."""

    run_id: str
    step: str
    reason: str


Known = Reuse | UnderWay | Nothing


def reads(state: RunState, name: str) -> bool:
    """May the step take over what equal attempts gave?"""
    return _is_cached(state, name) and state.created.cache in ("", "read_only")


def offers(state: RunState, name: str) -> bool:
    """May others take over what the step gave, now that it has completed? Not what it took over itself, nor a
    map's result with failed items in it, which another try may mend."""
    step = state.step(name)
    is_own = step.status == "completed" and bool(step.attempts) and not step.reused_from
    is_whole = step.children is None or not step.children.failed
    return claims(state, name) and is_own and is_whole


def claims(state: RunState, name: str) -> bool:
    """Do others wait for the step while it runs? Only where it will offer what it gives."""
    return _is_cached(state, name) and state.created.cache in ("", "refresh")


def moves(holder: RunState | None, step: str) -> bool:
    """Is the attempt that others would wait for going on by itself? None: its run is gone."""
    if holder is None or not holder.takes_work or step not in holder.plan.index:
        return False
    return holder.step(step).status in ("waiting", "scheduled", "running", "retrying")


def decide_on(state: RunState, name: str, key: str, known: Known) -> Recall | Wait:
    """What the step does, with the reason. A Recall without reuse means that it runs, with a claim to the key
    where it `claims`."""
    if not reads(state, name):
        return Recall(step=name, key=key, reason=_not_asked(state))
    match known:
        case Reuse():
            place = f"equal attempt in run {known.run_id}, step {known.step}"
            return Recall(step=name, key=key, reason=place, reuse=known)
        case UnderWay() if (known.run_id, known.step) != (state.created.run_id, name):
            reason = f"an equal attempt is under way in run {known.run_id}, step {known.step}"
            return Wait(known.run_id, known.step, reason)
        case _:
            return Recall(step=name, key=key, reason="no equal attempt is known")


def asks_behind(state: RunState, name: str, answer: Recall) -> bool:
    """Does a step of a run that was made from others, which know nothing equal (`answer`), ask the cache?

    Not what is to run again in any case, nor what may not run: of an unsafe step that was held a person
    decides. One without a key cannot begin.
    """
    origin = state.created.origin
    if origin is UNSET or answer.reuse is not UNSET or answer.is_unsafe or not answer.key:
        return False
    if not _is_cached(state, name) or state.created.cache == "off":
        return False
    return not paths.inside(origin.again, name)


def behind(answer: Recall, cached: Recall) -> Recall:
    """What the cache says where it has something; otherwise why the step runs, by the runs behind it."""
    return answer if cached.reuse is UNSET else cached


def _not_asked(state: RunState) -> str:
    if state.created.cache == "refresh":
        return "the run refreshes the cache"
    return "the run does not use the cache" if state.created.cache == "off" else "the step is not cached"


def _is_cached(state: RunState, name: str) -> bool:
    declared = state.plan.step(name)
    return declared.cache and not declared.handles and declared.wait is UNSET
