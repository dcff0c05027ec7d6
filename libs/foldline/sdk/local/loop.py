"""From the first event to the last: whoever plays scheduler in a local run.

Everything that comes from outside (reports, replies, stops) goes through one inbox, and time through the
timers of the runs; between two of them every run is moved as far as it goes by itself.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET

from foldline.chassis.clock import Clock
from foldline.domain import commands, recall, timers
from foldline.domain.assignments import work_for
from foldline.domain.effects import StopAttempt
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import RunState, expandable, ready, recallable
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Json
from foldline.domain.work import AttemptKey, Report
from foldline.execution.lists import Lists
from foldline.sdk.local import questions
from foldline.sdk.local.asking import Desk
from foldline.sdk.local.attempts import SESSION, LocalAttempts
from foldline.sdk.local.questions import Question
from foldline.sdk.local.room import Room
from foldline.sdk.local.runs import Changed, Open, Order, Runs
from foldline.sdk.record import Record


@dataclass(frozen=True, slots=True)
class Reply:
    question: Question
    reply: Json


@dataclass(frozen=True, slots=True)
class Stop:
    forced: bool


class Loop:
    """One run, with those inside it."""

    def __init__(self, attempts: LocalAttempts, lists: Lists, clock: Clock, changed: Changed) -> None:
        self.inbox: asyncio.Queue[Report | Reply | Stop] = asyncio.Queue()
        self._attempts = attempts
        self._lists = lists
        self._clock = clock
        self._runs = Runs(lists, clock, changed=changed, on_order=self._give)
        self._room = Room(os.cpu_count() or 1)
        self._ready: dict[str, tuple[str, ...]] = {}
        self._due: dict[str, datetime] = {}
        self._running: set[AttemptKey] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._is_desperate = False
        self._root = ""
        self.given_up: FoldlineError | None = None
        """Why the run was stopped: PRECONDITION NOT_ANSWERED, or what was wrong with an answer."""

    async def to_end(
        self, created: RunCreated, record: Record, desk: Desk, tasks: asyncio.TaskGroup
    ) -> RunState:
        """The final state; `given_up` says why the run was stopped where nobody did it on purpose."""
        self._tasks, self._root = tasks, created.run_id
        await self._runs.create(created, record)
        while self._runs.open:
            await self._move(desk)
            if self._runs.open and not await self._next(desk):
                await self._give_up(desk)
        desk.close()
        assert self._runs.final is not None, "the run that was started ends last or before"
        return self._runs.final

    # -- what moves by itself ----------------------------------------------------------------------

    async def _move(self, desk: Desk) -> None:
        """Every run as far as it goes now."""
        while True:
            while self._runs.touched:
                run_id = next(iter(self._runs.touched))
                del self._runs.touched[run_id]
                await self._look_at(run_id, desk)
            chosen = self._room.choose(self._ready, self._runs.open, len(self._running))
            if chosen is None:
                return
            run_id, names = chosen
            assignments = tuple((name, SESSION) for name in names)
            await self._runs.command(run_id, commands.ScheduleSteps(assignments))

    async def _look_at(self, run_id: str, desk: Desk) -> None:
        run = self._runs.open.get(run_id)
        self._ready.pop(run_id, None)
        self._due.pop(run_id, None)
        if run is None:
            desk.update(run_id, [])
            return
        state, now = run.state, self._clock.now()
        if timers.is_due(state, now):
            await self._runs.command(run_id, commands.FireTimers())
        elif recallable(state):
            await self._runs.command(run_id, commands.RecallSteps(self._recalls(state)))
        elif names := expandable(state, now):
            expansions = [await self._lists.expansion(state, name) for name in names]
            await self._runs.command(run_id, commands.ExpandSteps(tuple(expansions)))
        else:
            self._ready[run_id] = ready(state, now)
            due = timers.following(state, now)
            if due is not None:
                self._due[run_id] = due
            desk.update(run_id, list(questions.questions(state)))

    def _recalls(self, state: RunState) -> tuple[commands.Recall, ...]:
        """A step with a body that is tried again takes over what its attempt before has done."""
        index = recall.index(one for ended in self._runs.ended.values() for one in ended)
        return tuple(recall.recall(state, name, index) for name in recallable(state))

    def _give(self, run: Open, order: Order) -> None:
        """What a scheduler says to executors."""
        run_id = run.state.created.run_id
        if isinstance(order, StopAttempt):
            key = AttemptKey(run_id=run_id, step=order.step, attempt=order.attempt)
            self._attempts.stop(key, forced=order.forced)
            return
        assert self._tasks is not None
        work = work_for(run.state, order.step)
        self._running.add(work.key)
        self._tasks.create_task(self._attempts.carry_out(work, run.record, self.inbox.put_nowait))

    # -- what comes from outside -------------------------------------------------------------------

    async def _next(self, desk: Desk) -> bool:
        """Wait for what comes next and take all of it in; False when nothing can come."""
        if not (self._running or self._due or desk.is_waiting or not self.inbox.empty()):
            return False
        due = min(self._due.values(), default=None)
        seconds = None if due is None else max(0.0, (due - self._clock.now()).total_seconds())
        try:
            async with asyncio.timeout(seconds):
                what = await self.inbox.get()
        except TimeoutError:
            now = self._clock.now()
            self._runs.touched.update(dict.fromkeys(run for run, at in self._due.items() if at <= now))
        else:
            await self._take(what, desk)
        while not self.inbox.empty():
            await self._take(self.inbox.get_nowait(), desk)
        return True

    async def _take(self, what: Report | Reply | Stop, desk: Desk) -> None:
        match what:
            case Report():
                if what.kind in ("succeeded", "failed"):
                    self._running.discard(what.key)
                if what.key.run_id in self._runs.open:
                    jitter = random.random()  # noqa: S311  # spreads retries
                    await self._runs.command(what.key.run_id, commands.ReceiveReport(what, jitter=jitter))
            case Reply():
                await self._answer(what.question, what.reply, desk)
            case Stop():
                await self._stop("stopped from the keyboard", forced=what.forced)

    async def _answer(self, question: Question, reply: Json, desk: Desk) -> None:
        if reply is UNSET or question.run_id not in self._runs.open:
            return  # it stays unanswered
        try:
            await self._runs.command(question.run_id, questions.command_for(question, reply))
        except FoldlineError as error:
            if not desk.ask_again(question, error.message):
                self.given_up = self.given_up or error
                await self._stop(error.message, forced=False)

    async def _give_up(self, desk: Desk) -> None:
        """Nothing moves any more, because of questions that nobody answers."""
        sentences = [questions.unanswered(one) for one in desk.unanswered] or ["nothing moves any more"]
        error = FoldlineError(Kind.PRECONDITION, "NOT_ANSWERED", "; ".join(sentences))
        assert not self._is_desperate, "a forced stop ends every run"
        is_first = self.given_up is None
        self.given_up = self.given_up or error
        self._is_desperate = not is_first
        await self._stop(error.message, forced=not is_first)

    async def _stop(self, reason: str, *, forced: bool) -> None:
        if self._root in self._runs.open:
            await self._runs.command(self._root, commands.RequestStop(reason, forced))
