"""The owner of runs: every run of the leased partitions, kept in memory, driven by what comes in.

What comes in: commands from the servicer, reports and heartbeats from executors, pokes from other
schedulers, timers. What goes out, always after the commit: work orders, stops, acknowledgements. All of it
may be lost or come twice; heartbeats reconcile: what a session should hold and does not is sent again, what
a vanished session held is lost. One asyncio task per run writes at a time (`run.OwnedRun`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from foldline.bus import subjects
from foldline.bus.port import Bus, Message, Poison
from foldline.chassis import logs
from foldline.chassis.clock import Clock
from foldline.domain.assignments import work_for
from foldline.domain.commands import Command, LoseAttempts, ReceiveReport
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import RunState, StepState, ready
from foldline.domain.timers import next_timer
from foldline.domain.work import AttemptKey, Heartbeat, Report, ReportAck, StopAttempt
from foldline.domain.work import Message as WireMessage
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore
from foldline.wire import work as wire
from foldline_scheduler import metrics
from foldline_scheduler.executors import Executors
from foldline_scheduler.partitions import partition_of
from foldline_scheduler.run import Outcome, OwnedRun, Posted

log = logs.logger()

M = TypeVar("M", bound=WireMessage)

#: A work order or a stop that its session does not seem to have got is sent again after this many seconds.
RESEND_SECONDS = 2.0
#: Pause before the ledger is tried again when it cannot be reached; the inbox waits meanwhile.
LEDGER_RETRY_SECONDS = 0.25
#: A command that the ledger has not taken by then is answered with UNAVAILABLE.
COMMAND_SECONDS = 10.0
DEFAULT_GRACE_SECONDS = 10.0


class Owner:
    """Holds the runs. `tasks` ends with the process; nothing is started outside it."""

    def __init__(
        self,
        store: EventStore,
        bus: Bus,
        clock: Clock,
        tasks: asyncio.TaskGroup,
        *,
        silence_seconds: float,
        monotonic: Callable[[], float],
        stop: asyncio.Event,
    ) -> None:
        self.executors = Executors()
        self._runs: dict[str, OwnedRun] = {}
        self._hungry: dict[str, None] = {}  # runs with ready steps and no slot, oldest first
        self._partitions: frozenset[int] = frozenset()
        self._store = store
        self._bus = bus
        self._clock = clock
        self._tasks = tasks
        self._silence = silence_seconds
        self._monotonic = monotonic
        self._stop = stop
        self._born = monotonic()

    # -- ownership ---------------------------------------------------------------------------------

    def owns(self, run_id: str) -> bool:
        return partition_of(run_id) in self._partitions

    @property
    def partitions(self) -> frozenset[int]:
        return self._partitions

    def set_partitions(self, partitions: Iterable[int]) -> None:
        """These are ours from now on; runs of others are put down where they are."""
        self._partitions = frozenset(partitions)
        for run_id in [run_id for run_id in self._runs if not self.owns(run_id)]:
            self._drop(run_id)
        metrics.PARTITIONS.set(len(self._partitions))

    async def adopt(self, run_ids: Iterable[str]) -> None:
        """Take runs over from the ledger and go on with them; those in our hands already stay as they are."""
        for run_id in run_ids:
            if run_id in self._runs or not self.owns(run_id):
                continue
            run = await self._load(run_id)
            if run is not None:
                self._touch(run)

    # -- commands ----------------------------------------------------------------------------------

    async def command(self, run_id: str, command: Command, meta: facts.Meta) -> RunState:
        """Carry out a command of an owned run and wait for its commit. Raises its refusal."""
        run = await self._load(run_id) or self._keep(run_id)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._post(run, Posted(command, meta, done))
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                await done
        except TimeoutError as error:
            message = f"the ledger did not take the command within {COMMAND_SECONDS:g} s; it may still do so"
            raise FoldlineError(Kind.UNAVAILABLE, "LEDGER_UNAVAILABLE", message) from error
        assert run.state is not None
        return run.state

    async def on_report(self, message: Message) -> None:
        """A report from an executor; acknowledged after the commit. Unreadable ones are poison."""
        report = _decoded(Report, message)
        if not self.owns(report.key.run_id):
            return  # its owner hears it too
        run = await self._load(report.key.run_id)
        if run is None:
            raise Poison(f"there is no run {report.key.run_id}")
        if report.kind != "started":
            # Whatever becomes of the report: its process has ended, so the slot may be given away with it.
            self.executors.release(report.session, report.key)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._post(run, Posted(ReceiveReport(report, random.random()), run.own_meta(), done))  # noqa: S311 - jitter
        self._tasks.create_task(self._acknowledge(report, done, message))

    async def _acknowledge(self, report: Report, done: asyncio.Future[None], message: Message) -> None:
        try:
            await done
        except FoldlineError as refusal:
            await self._bus.park(message, refusal.message)
        await self._send(subjects.ack(report.session), ReportAck(key=report.key, kind=report.kind))

    async def on_poke(self, message: Message) -> None:
        """Another scheduler wrote to a run of ours: load it and go on from there."""
        run_id = message.body.decode()
        if not self.owns(run_id):
            return
        run = await self._load(run_id)
        if run is not None:
            await run.load()
            await self._stop_attempts(run)
            self._touch(run)

    # -- executors ---------------------------------------------------------------------------------

    async def on_heartbeat(self, message: Message) -> None:
        beat = _decoded(Heartbeat, message)
        now = self._monotonic()
        self.executors.hear(beat, now)
        if beat.replaces:
            self._lose(beat.replaces)
        if beat.leaving:
            self.executors.forget(beat.session)
            self._lose(beat.session)
            return
        await self._reconcile(beat, now)
        self._feed()

    async def check_silence(self) -> None:
        """Give up sessions that were not heard of for too long, also those that never spoke to us."""
        now = self._monotonic()
        for session in self.executors.silent(now - self._silence):
            log.warning("executor_silent", session=session)
            self.executors.forget(session)
            self._lose(session)
        if now - self._born > self._silence:
            for session in {step.attempts[-1].executor for _, step in self._active()}:
                if not self.executors.is_here(session):
                    self._lose(session)
        metrics.SESSIONS.set(len(self.executors))

    def _lose(self, session: str) -> None:
        for run in {run.run_id: run for run, step in self._active(session)}.values():
            self._post(run, Posted(LoseAttempts(session, random.random()), run.own_meta(), None))  # noqa: S311

    async def _reconcile(self, beat: Heartbeat, now: float) -> None:
        """Send again what the session should have and does not; stop what it should not have any more.

        A session that was silent and given up comes back like this: what it still runs was lost to others.
        """
        held = set(beat.held)
        current = set()
        for run, step in self._active(beat.session):
            key = _key(run, step)
            current.add(key)
            if key not in held and now - run.sent_at.get(key, 0.0) > RESEND_SECONDS:
                await self._dispatch(run, step.name, beat.session)
            elif key in held and run.state is not None and run.state.status == "stopping":
                await self._stop_attempt(run, step)
        for key in held - current:
            if self.owns(key.run_id) and not await self._is_current(key, beat.session):
                await self._send(subjects.stop(beat.session), StopAttempt(key=key))

    async def _is_current(self, key: AttemptKey, session: str) -> bool:
        """Asks the ledger about a run that is not in our hands: it may only not have been adopted yet."""
        try:
            run = await self._load(key.run_id)
        except FoldlineError:
            return True  # nobody can say now; the next heartbeat asks again
        if run is None:
            return False
        self._touch(run)
        return any(one is run and _key(one, step) == key for one, step in self._active(session))

    def _active(self, session: str | None = None) -> list[tuple[OwnedRun, StepState]]:
        return [
            (run, step)
            for run in self._runs.values()
            if run.state is not None and run.state.active_steps
            for step in run.state.steps
            if step.is_active and session in (None, step.attempts[-1].executor)
        ]

    # -- runs --------------------------------------------------------------------------------------

    async def _load(self, run_id: str) -> OwnedRun | None:
        """The run from memory or ledger; None where there is none."""
        known = self._runs.get(run_id)
        if known is not None and known.state is not None:
            return known
        run = OwnedRun(run_id, self._store, self.executors, self._clock)
        await run.load()
        if run.state is None:
            return None
        # Somebody else may have loaded it while we waited: the first one stays.
        known = self._runs.get(run_id)
        return known if known is not None else self._keep(run_id, run)

    def _keep(self, run_id: str, run: OwnedRun | None = None) -> OwnedRun:
        run = self._runs.setdefault(run_id, run or OwnedRun(run_id, self._store, self.executors, self._clock))
        metrics.RUNS.set(len(self._runs))
        return run

    def _drop(self, run_id: str) -> None:
        self._hungry.pop(run_id, None)
        self._runs.pop(run_id, None)
        metrics.RUNS.set(len(self._runs))

    def _post(self, run: OwnedRun, posted: Posted) -> None:
        run.inbox.append(posted)
        self._touch(run)

    def _touch(self, run: OwnedRun) -> None:
        """Have the run decide soon, be it only to give out steps that became ready."""
        if not run.is_writing:
            run.is_writing = True
            self._tasks.create_task(self._drain(run))

    async def _drain(self, run: OwnedRun) -> None:
        try:
            while True:
                posted, run.inbox = run.inbox, []
                await self._write(run, posted)
                if not run.inbox:
                    break
        finally:
            run.is_writing = False
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
        if outcome is not None:
            await self._effects(run, outcome)
        for one, refusal in zip(posted, refusals, strict=True):
            if one.done is not None and not one.done.done():
                one.done.set_result(None) if refusal is None else one.done.set_exception(refusal)

    async def _effects(self, run: OwnedRun, outcome: Outcome) -> None:
        for reservation in outcome.scheduled:
            await self._dispatch(run, reservation.key.step, reservation.session)
        self._release(run, outcome)
        was_stopping = outcome.before is not None and outcome.before.status == "stopping"
        if outcome.state.status == "stopping" and not was_stopping:
            await self._stop_attempts(run)

    def _release(self, run: OwnedRun, outcome: Outcome) -> None:
        """Slots of attempts that this write ended are free again: feed runs that wait for one."""
        if outcome.before is None or not outcome.before.active_steps:
            return
        freed = False
        for before, after in zip(outcome.before.steps, outcome.state.steps, strict=True):
            if before is not after and before.is_active and after.attempts[-1].ended_at is not None:
                self.executors.release(before.attempts[-1].executor, _key(run, before))
                freed = True
        if freed:
            self._feed()

    def _rest(self, run: OwnedRun) -> None:
        """Nothing to write for now: note what the run waits for."""
        state = run.state
        if state is None or state.is_final or not self.owns(run.run_id):
            self._drop(run.run_id)
            return
        now = self._clock.now()
        if ready(state, now):
            self._hungry[run.run_id] = None
            self._feed()  # a slot may have come free since the last decision
        else:
            self._hungry.pop(run.run_id, None)
        if (timer := next_timer(state)) is not None and timer > now:
            self._wake_at(run.run_id, timer, now)

    def _wake_at(self, run_id: str, timer: datetime, now: datetime) -> None:
        def wake() -> None:
            if (run := self._runs.get(run_id)) is not None:
                self._touch(run)

        asyncio.get_running_loop().call_later((timer - now).total_seconds(), wake)

    def _feed(self) -> None:
        """Let hungry runs try again where there is more room, the one that has waited longest first."""
        for run_id in list(self._hungry):
            run = self._runs.get(run_id)
            if run is None:
                del self._hungry[run_id]
            elif run.looked_at < self.executors.changes:
                del self._hungry[run_id]
                self._touch(run)

    # -- out ---------------------------------------------------------------------------------------

    async def _dispatch(self, run: OwnedRun, step: str, session: str) -> None:
        assert run.state is not None
        work = work_for(run.state, step, partition_of(run.run_id))
        run.sent_at[work.key] = self._monotonic()
        metrics.DISPATCHED.inc()
        await self._send(subjects.work(session), work)

    async def _stop_attempts(self, run: OwnedRun) -> None:
        if run.state is None or run.state.status != "stopping":
            return
        for step in run.state.steps:
            if step.is_active:
                await self._stop_attempt(run, step)

    async def _stop_attempt(self, run: OwnedRun, step: StepState) -> None:
        assert run.state is not None
        grace = run.state.plan.step(step.name).timeouts.grace_seconds or DEFAULT_GRACE_SECONDS
        order = StopAttempt(key=_key(run, step), grace_seconds=grace)
        await self._send(subjects.stop(step.attempts[-1].executor), order)

    async def _send(self, subject: str, message: WireMessage) -> None:
        """Best effort: heartbeats and repeated reports make up for what is lost."""
        try:
            await self._bus.publish(subject, wire.encode(message))
        except FoldlineError as error:
            log.warning("message_not_sent", subject=subject, reason=error.reason)


def _key(run: OwnedRun, step: StepState) -> AttemptKey:
    return AttemptKey(run_id=run.run_id, step=step.name, attempt=len(step.attempts))


def _decoded(cls: type[M], message: Message) -> M:
    try:
        return wire.decode(cls, message.body)
    except FoldlineError as error:
        raise Poison(error.message) from error
