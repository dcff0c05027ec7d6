"""The owner of runs: every run of the leased partitions, kept in memory, driven by what comes in.

What comes in: commands from the servicer, reports and heartbeats from executors (`listener`), pokes from
other schedulers, timers, ends of inner runs. What goes out, always after the commit, are the effects of the
events (`domain.effects`): orders to executors (`orders`), words to other runs (`inside`). All of it may be
lost or come twice; heartbeats and `standing` effects reconcile. One asyncio task per run writes at a time
(`run.OwnedRun`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from foldline.bus.port import Message
from foldline.chassis import logs
from foldline.chassis.clock import Clock
from foldline.domain import timers
from foldline.domain.commands import (
    Command,
    CreateRun,
    ExpandSteps,
    FireTimers,
    RecallSteps,
    ReceiveReport,
)
from foldline.domain.effects import Dispatch, Effect, StopAttempt, effects, standing
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import RunState, StepState, expandable, recallable
from foldline.domain.run_events import AttemptFailed, AttemptSucceeded
from foldline.domain.work import AttemptKey
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore
from foldline.execution.lists import Lists
from foldline_scheduler import metrics
from foldline_scheduler.executors import Executors
from foldline_scheduler.inside import Inside
from foldline_scheduler.looks import Looks
from foldline_scheduler.orders import Orders
from foldline_scheduler.partitions import partition_of
from foldline_scheduler.queue import Queue
from foldline_scheduler.recalls import Look, Recalls
from foldline_scheduler.run import Outcome, OwnedRun, Posted, answer, refuse

log = logs.logger()

#: Pause before the ledger is tried again when it cannot be reached; the inbox waits meanwhile.
LEDGER_RETRY_SECONDS = 0.25
#: A command that the ledger has not taken by then is answered with UNAVAILABLE.
COMMAND_SECONDS = 10.0
#: Pause before a list that could not be read, or an equal attempt that is under way, is looked for again.
LOOK_AGAIN_SECONDS = 1.0


class Owner:
    """Holds the runs. `tasks` ends with the process; nothing is started outside it."""

    def __init__(
        self,
        store: EventStore,
        queue: Queue,
        orders: Orders,
        lists: Lists,
        clock: Clock,
        tasks: asyncio.TaskGroup,
        *,
        executors: Executors,
        monotonic: Callable[[], float],
        stop: asyncio.Event,
        recalls: Callable[[Look], Recalls],
    ) -> None:
        self.executors = executors
        self.queue = queue
        self.writing = 0
        """Runs that are being written."""
        self.recalls = recalls(self.look)
        self._runs: dict[str, OwnedRun] = {}
        self._partitions: frozenset[int] = frozenset()
        self._believed_until = math.inf
        self._store = store
        self._orders = orders
        self._lists = lists
        self._inside = Inside(self, lists)
        self._looks = Looks(self._new)
        self._clock = clock
        self._tasks = tasks
        self._monotonic = monotonic
        self._stop = stop

    # -- ownership ---------------------------------------------------------------------------------

    def owns(self, run_id: str) -> bool:
        """Not any more once the lease has run out, whoever may not have noticed yet: after a pause of the
        process this is the first thing that is asked.
        """
        return partition_of(run_id) in self._partitions and self._monotonic() < self._believed_until

    @property
    def partitions(self) -> frozenset[int]:
        return self._partitions

    @property
    def held(self) -> Collection[str]:
        """Ids of the runs in memory now."""
        return self._runs.keys()

    def set_partitions(self, partitions: Iterable[int], *, believed_until: float = math.inf) -> None:
        """These are ours from now on, by the monotonic clock until then; runs of others are put down."""
        self._partitions = frozenset(partitions)
        self._believed_until = believed_until
        for run_id in [run_id for run_id in self._runs if not self.owns(run_id)]:
            self._drop(run_id)
        metrics.PARTITIONS.set(len(self._partitions))

    async def adopt(self, run_ids: Iterable[str]) -> None:
        """Take runs over from the ledger and go on with them; those in our hands already stay as they are."""
        # Those that are ours now may have ended and be gone when their turn comes.
        for run_id in [one for one in run_ids if one not in self._runs]:
            if run_id in self._runs or not self.owns(run_id):
                continue
            run = await self.load(run_id)
            if run is not None:
                await self.take_up(run)

    async def take_up(self, run: OwnedRun) -> None:
        """See to it that what the run's state calls for is so outside, and go on with it."""
        assert run.state is not None
        await self._carry_out(run, standing(run.state))
        self.touch(run)

    def active(self, session: str | None = None) -> list[tuple[OwnedRun, StepState]]:
        """Attempts that an executor (or this one) should have now."""
        return [
            (run, step)
            for run in self._runs.values()
            if run.state is not None
            for step in run.state.steps.active_ones()
            if step.children is None and session in (None, step.attempts[-1].executor)
        ]

    # -- what comes in -----------------------------------------------------------------------------

    async def command(self, run_id: str, command: Command, meta: facts.Meta) -> RunState:
        """Carry out a command of an owned run and wait for its commit. Raises its refusal."""
        # A run that is to be made is not there, as a rule; where it is, its append says so.
        is_new = isinstance(command, CreateRun)
        run = self.keep(run_id) if is_new else await self.load(run_id) or self.keep(run_id)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        posted = Posted(command, meta, done)
        self.post(run, posted)
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                await done
        except TimeoutError as error:
            # Nobody waits for it any more: a ledger that is slow must not gather such.
            run.inbox = [one for one in run.inbox if one is not posted]
            message = f"the ledger did not take the command within {COMMAND_SECONDS:g} s; it may still do so"
            raise FoldlineError(Kind.UNAVAILABLE, "LEDGER_UNAVAILABLE", message) from error
        assert run.state is not None
        return run.state

    async def on_poke(self, message: Message) -> None:
        """Another scheduler wrote to a run of ours."""
        await self.reload(message.body.decode())

    async def reload(self, run_id: str) -> None:
        """Load what somebody else wrote to a run, and go on from there."""
        if not self.owns(run_id):
            return
        known = self._runs.get(run_id)
        if known is None or known.state is None:
            await self.adopt([run_id])
            return
        events = await known.load()
        if not known.is_writing:
            self.queue.adopt(known.state)
        await self._carry_out(known, effects(events, known.state))
        self.touch(known)

    def resting(self) -> dict[str, OwnedRun]:
        """Runs that nobody is writing at the moment, by id."""
        return {run_id: run for run_id, run in self._runs.items() if run.state and not run.is_writing}

    def post(self, run: OwnedRun, posted: Posted) -> None:
        """Put a command into the run's inbox."""
        run.inbox.append(posted)
        self.touch(run)

    def touch(self, run: OwnedRun) -> None:
        """Have the run decide soon, be it only to give out steps that became ready."""
        if not run.is_writing:
            run.is_writing = True
            self.writing += 1
            self._tasks.create_task(self._drain(run))

    def feed(self) -> None:
        """Let runs write whose turn has come: something is kept for each of them."""
        for run_id in self.queue.due():
            run = self._runs.get(run_id)
            if run is None:
                self.queue.withdraw(run_id)
            else:
                self.touch(run)

    # -- runs --------------------------------------------------------------------------------------

    async def load(self, run_id: str) -> OwnedRun | None:
        """The run from memory or ledger; None where there is none."""
        known = self._runs.get(run_id)
        if known is not None and known.state is not None:
            return known
        run = self._new(run_id)
        await run.load()
        if run.state is None:
            return None
        # Somebody else may have loaded it while we waited: the first one stays.
        known = self._runs.get(run_id)
        if known is not None:
            return known
        self.queue.adopt(run.state)
        return self.keep(run_id, run)

    async def look(self, run_id: str) -> RunState | None:
        """The state of any run as of now, owned or not; it is not taken up."""
        known = self._runs.get(run_id)
        if known is not None and known.state is not None and self.owns(run_id):
            return known.state
        return await self._looks.state(run_id)

    async def write_foreign(self, run_id: str, command: Command, meta: facts.Meta) -> None:
        """Carry out a command of a run that another scheduler owns, which is to be poked. Raises refusals."""
        run = OwnedRun(run_id, self._store, None, self._clock, self._lists)  # giving work is the owner's
        await run.load()
        _, refusals = await run.write([Posted(command, meta, None)])
        if refusals[0] is not None:
            raise refusals[0]

    def keep(self, run_id: str, run: OwnedRun | None = None) -> OwnedRun:
        run = self._runs.setdefault(run_id, run or self._new(run_id))
        metrics.RUNS.set(len(self._runs))
        return run

    def adopted(self, run: OwnedRun) -> None:
        """The run was loaded by somebody else: what it has under way is taken."""
        if run.state is not None:
            self.queue.adopt(run.state)

    def _new(self, run_id: str) -> OwnedRun:
        return OwnedRun(run_id, self._store, self.queue, self._clock, self._lists)

    def _drop(self, run_id: str) -> None:
        self.queue.withdraw(run_id)
        run = self._runs.pop(run_id, None)
        if run is not None and run.timer is not None:
            run.timer.cancel()
        metrics.RUNS.set(len(self._runs))

    async def _drain(self, run: OwnedRun) -> None:
        try:
            while True:
                posted, run.inbox = run.inbox, []
                if not self.owns(run.run_id):
                    refuse(posted, run.run_id)
                    break
                await self._write(run, posted)
                await self._help(run)
                if not run.inbox:
                    break
        finally:
            run.is_writing = False
            self.writing -= 1
        self._rest(run)

    async def _write(self, run: OwnedRun, posted: list[Posted]) -> None:
        """Write until the ledger takes it: what executors reported must not be lost."""
        while True:
            try:
                outcome, refusals = await run.write(posted)
                break
            except FoldlineError as error:
                if error.kind is not Kind.UNAVAILABLE or self._stop.is_set():
                    log.error("run_not_written", run_id=run.run_id, reason=error.reason, exc_info=error)
                    refusals, outcome = [error] * len(posted), None
                    break
                log.warning("ledger_unavailable", run_id=run.run_id)
                await asyncio.sleep(LEDGER_RETRY_SECONDS)
        answers = [*zip(posted, refusals, strict=True)]
        # Executors hear that a report has arrived together with what they are to do next.
        answer(one for one in answers if isinstance(one[0].command, ReceiveReport))
        if outcome is not None:
            await self._learn(outcome)
            await self._carry_out(run, effects(outcome.events, outcome.state), outcome.begun)
            self._release(run, outcome)
        answer(answers)

    async def _learn(self, outcome: Outcome) -> None:
        if not outcome.state.plan.has_cache:
            return
        try:
            await self.recalls.learn(outcome.events, outcome.state)
        except FoldlineError as error:  # a cache that lacks something costs work, no more
            log.warning("reuse_not_kept", run_id=outcome.state.created.run_id, reason=error.reason)

    async def _carry_out(self, run: OwnedRun, wanted: Sequence[Effect], begun: Collection[str] = ()) -> None:
        steps = [one.step for one in wanted if isinstance(one, Dispatch) and one.step not in begun]
        now = self._monotonic()
        self._orders.note(run, begun, now)  # these have no need of one
        if steps:
            await self._orders.dispatch(run, steps, now)
        for effect in wanted:
            match effect:
                case Dispatch():
                    pass
                case StopAttempt():
                    await self._orders.stop(run, effect)
                case _:
                    await self._carry_out_inside(run, effect)

    async def _carry_out_inside(self, run: OwnedRun, effect: Effect) -> None:
        """Again until the ledger can be reached: as long as the run is ours, nobody else would do it. A run
        that is not is put down, so that it is taken up anew should its lease come back.
        """
        while not self._stop.is_set():
            try:
                await self._inside.carry_out(run, effect)
                return
            except FoldlineError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    raise
                log.warning("ledger_unavailable", run_id=run.run_id)
            if not self.owns(run.run_id):
                self._drop(run.run_id)
                return
            await asyncio.sleep(LEDGER_RETRY_SECONDS)

    async def _help(self, run: OwnedRun) -> None:
        """Find out what steps need to know before they begin: equal attempts, and the lists of maps."""
        state = run.state
        if state is None or state.is_final:
            return
        try:
            recalls = await self.recalls.answers(state)
            names = expandable(state, self._clock.now())
            expansions = [await self._lists.expansion(state, name) for name in names]
        except FoldlineError as error:
            log.warning("step_not_prepared", run_id=run.run_id, reason=error.reason, problem=error.message)
            self._look_again(run)
            return
        if recalls:
            run.inbox.append(Posted(RecallSteps(tuple(recalls)), run.own_meta(), None))
        elif recallable(state):
            self._look_again(run)  # an equal attempt is under way somewhere
        if expansions:
            run.inbox.append(Posted(ExpandSteps(tuple(expansions)), run.own_meta(), None))

    def _look_again(self, run: OwnedRun) -> None:
        asyncio.get_running_loop().call_later(LOOK_AGAIN_SECONDS, self._touch_kept, run)

    def _touch_kept(self, run: OwnedRun) -> None:
        if self._runs.get(run.run_id) is run:
            self.touch(run)

    def _release(self, run: OwnedRun, outcome: Outcome) -> None:
        """What the attempts held that this write ended is free again."""
        ended = [one for one in outcome.events if isinstance(one, AttemptSucceeded | AttemptFailed)]
        for event in ended:
            attempt = outcome.state.step(event.step).attempts[event.attempt - 1]
            if attempt.executor:
                key = AttemptKey(run_id=run.run_id, step=event.step, attempt=event.attempt)
                self.queue.ended(attempt.executor, key)
        if ended:
            self.feed()

    def _rest(self, run: OwnedRun) -> None:
        """Nothing to write for now: note what the run waits for."""
        state = run.state
        if state is None or state.is_final or not self.owns(run.run_id):
            self._drop(run.run_id)
            self.feed()  # others may have waited behind it
            return
        self.feed()
        if timers.is_due(state, self._clock.now()):
            self._fire(run)
        elif (timer := timers.following(state, run.decided_at)) is not None:
            self._wake_at(run, timer)

    def _wake_at(self, run: OwnedRun, timer: datetime) -> None:
        if run.timer is not None:
            run.timer.cancel()
        seconds = (timer - self._clock.now()).total_seconds()  # below nothing: at once
        run.timer = asyncio.get_running_loop().call_later(seconds, self._fire, run)

    def _fire(self, run: OwnedRun) -> None:
        if self._runs.get(run.run_id) is run:
            self.post(run, Posted(FireTimers(), run.own_meta(), None))
