"""Words between runs: creating inner runs, telling them to stop, pause or go on, telling parents of ends.

Parent and children hash to the same partition, so one owner has them all. Every word may be said twice.
"""

from __future__ import annotations

from typing import Protocol, assert_never

from msgspec import UNSET

from foldline.chassis import logs
from foldline.domain import inner
from foldline.domain.commands import (
    Command,
    CreateRun,
    PauseRun,
    ReceiveChild,
    RequestStop,
    ResumeRun,
)
from foldline.domain.effects import (
    CreateChild,
    Dispatch,
    Effect,
    PauseChild,
    ResumeChild,
    StopAttempt,
    StopChild,
    TellParent,
)
from foldline.domain.run import RunState
from foldline.execution.lists import Lists
from foldline_scheduler.run import OwnedRun, Posted

log = logs.logger()


class Runs(Protocol):
    """What this needs of the owner."""

    async def load(self, run_id: str) -> OwnedRun | None: ...

    def keep(self, run_id: str) -> OwnedRun: ...

    def adopted(self, run: OwnedRun) -> None: ...

    def post(self, run: OwnedRun, posted: Posted) -> None: ...

    async def take_up(self, run: OwnedRun) -> None: ...


class Inside:
    def __init__(self, runs: Runs, lists_: Lists) -> None:
        self._runs = runs
        self._lists = lists_

    async def carry_out(self, run: OwnedRun, effect: Effect) -> None:
        state = run.state
        assert state is not None
        match effect:
            case CreateChild():
                await self._create(run, state, effect)
            case StopChild():
                child = inner.child_id(run.run_id, effect.step, effect.attempt, effect.index)
                await self._tell(child, RequestStop(f"run {run.run_id} stops it", effect.forced), run)
            case PauseChild():
                await self._tell(_child(state, effect.step, effect.index), PauseRun(by_parent=True), run)
            case ResumeChild():
                await self._tell(_child(state, effect.step, effect.index), ResumeRun(by_parent=True), run)
            case TellParent():
                await self._tell_parent(run, state)
            case Dispatch() | StopAttempt():
                raise AssertionError("orders to executors are not carried out here")
            case _:
                assert_never(effect)

    async def _create(self, run: OwnedRun, state: RunState, effect: CreateChild) -> None:
        """Create the child; one that exists already is taken up, or its end is told."""
        child_id = _child(state, effect.step, effect.index)
        child = self._runs.keep(child_id)
        if child.state is None and not child.is_writing:
            await child.load()
            self._runs.adopted(child)
        if child.state is not None:
            await self._runs.take_up(child)
            return
        is_map = state.plan.step(effect.step).map is not UNSET
        items = await self._lists.items(state, effect.step) if is_map else ()
        created = inner.created(state, effect.step, effect.index, items)
        self._runs.post(child, Posted(CreateRun(created), run.own_meta(), None))

    async def _tell(self, child_id: str, command: Command, run: OwnedRun) -> None:
        """A child that has ended, or does so already, refuses; that is as good."""
        child = await self._runs.load(child_id)
        if child is not None:
            self._runs.post(child, Posted(command, run.own_meta(), None))

    async def _tell_parent(self, run: OwnedRun, state: RunState) -> None:
        parent = state.created.parent
        assert parent is not UNSET
        owned = await self._runs.load(parent.run_id)
        if owned is None:
            log.error("parent_missing", run_id=run.run_id, parent=parent.run_id)
            return
        self._runs.post(owned, Posted(ReceiveChild(inner.ended(state)), owned.own_meta(), None))


def _child(state: RunState, step: str, index: int) -> str:
    attempt = state.step(step).attempts[-1].number
    return inner.child_id(state.created.run_id, step, attempt, index)
