"""What executors say: reports, which become events, and heartbeats, which reconcile.

A heartbeat names what its session holds. What it should hold and does not is sent again; what it should not
is stopped; what a vanished session held is lost.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from msgspec import UNSET, Raw

from foldline.bus.port import Bus, Message, Poison
from foldline.chassis import logs
from foldline.domain.assignments import SLOT_SECONDS
from foldline.domain.commands import LoseAttempts, ReceiveReport
from foldline.domain.effects import StopAttempt
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.work import AttemptKey, Heartbeat, Report
from foldline.domain.work import Message as WireMessage
from foldline.wire import work as wire
from foldline_scheduler import metrics
from foldline_scheduler.orders import Orders, key_of
from foldline_scheduler.owner import Owner
from foldline_scheduler.run import OwnedRun, Posted

log = logs.logger()

M = TypeVar("M", bound=WireMessage)

#: A work order or a stop that its session does not seem to have got is sent again after this many seconds.
RESEND_SECONDS = 2.0
#: Reports about runs of others are kept for a moment, for the case that their owner has just gone.
FOREIGN_SECONDS = 5.0
FOREIGN_REPORTS = 4096


class _Reported(NamedTuple):
    """A report that its run is to decide on."""

    run: OwnedRun
    report: Report
    done: asyncio.Future[None]
    message: Message


class Listener:
    def __init__(
        self,
        owner: Owner,
        orders: Orders,
        bus: Bus,
        tasks: asyncio.TaskGroup,
        *,
        silence_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._owner = owner
        self._orders = orders
        self._bus = bus
        self._tasks = tasks
        self._silence = silence_seconds
        self._monotonic = monotonic
        self._born = self._checked = monotonic()
        self._recording: set[tuple[AttemptKey, str, str, int]] = set()
        self._foreign: deque[tuple[float, Message, str]] = deque(maxlen=FOREIGN_REPORTS)

    # -- reports -----------------------------------------------------------------------------------

    async def on_report(self, message: Message) -> None:
        """Reports from an executor; acknowledged after the commit. Unreadable ones are poison."""
        posted: list[_Reported] = []
        poison: Poison | None = None
        for body in _several(message):
            try:
                if (one := await self._post(Message(message.subject, bytes(body)))) is not None:
                    posted.append(one)
            except Poison as error:
                poison = error
        if posted:
            self._tasks.create_task(self._acknowledge(posted))
        if poison is not None:
            raise poison

    async def _post(self, message: Message) -> _Reported | None:
        """Give it to its run; None where that is somebody else's."""
        report = _decoded(Report, message)
        if not self._owner.owns(report.key.run_id):
            self._foreign.append((self._monotonic(), message, report.key.run_id))
            return None  # its owner hears it too
        run = await self._owner.load(report.key.run_id)
        if run is None:
            # The ledger was restored to a time before it, and no repetition of the report changes that.
            await self._bus.park(message, f"there is no run {report.key.run_id}")
            await self._orders.acknowledge([report])
            return None
        told = (report.key, report.session, report.kind, report.number)
        if told in self._recording:
            return None  # repeated, because the ledger is slow: once in memory is enough
        self._recording.add(told)
        if report.kind in ("succeeded", "failed") and report.goes_on is UNSET:
            # Whatever becomes of the report: its process has ended, so the slot may be given away with it.
            self._owner.queue.ended(report.session, report.key)
        if report.kind == "succeeded" and report.seconds:
            self._owner.executors.note_end(report.session, report.seconds)
        elif report.failure is not UNSET and report.failure.reason == "NO_SLOT":
            self._owner.executors.note_end(report.session, SLOT_SECONDS)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owner.post(run, Posted(ReceiveReport(report, random.random()), run.own_meta(), done))  # noqa: S311 - jitter
        done.add_done_callback(lambda _: self._recording.discard(told))
        return _Reported(run, report, done, message)

    @property
    def has_foreign(self) -> bool:
        """Has it heard reports about runs of others, lately?"""
        return bool(self._foreign)

    async def hear_again(self) -> None:
        """Partitions have become ours: what was lately reported about them may have reached nobody."""
        now = self._monotonic()
        foreign, self._foreign = self._foreign, deque(maxlen=FOREIGN_REPORTS)
        for heard_at, message, run_id in foreign:
            if now - heard_at < FOREIGN_SECONDS and self._owner.owns(run_id):
                await self.on_report(Message(message.subject, wire.join([message.body])))

    async def _acknowledge(self, posted: list[_Reported]) -> None:
        heard = []
        for one in posted:
            try:
                await one.done
            except FoldlineError as refusal:
                if refusal.kind is Kind.UNAVAILABLE:
                    # Not in the ledger: whoever owns the run then hears it again.
                    self._foreign.append((self._monotonic(), one.message, one.report.key.run_id))
                    continue
                await self._bus.park(one.message, refusal.message)
            heard.append(one.report)
        await self._orders.acknowledge(heard)
        for one in posted:
            await self._stop_unwanted(one.run, one.report)

    async def _stop_unwanted(self, run: OwnedRun, report: Report) -> None:
        """The session has gone on, and the run did not: it was stopped, say."""
        key = report.goes_on
        if key is UNSET or run.state is None:
            return
        attempts = run.state.step(key.step).attempts
        if not any(one.number == key.attempt and one.executor == report.session for one in attempts):
            await self._orders.stop_stray(key, report.session)

    # -- heartbeats --------------------------------------------------------------------------------

    async def on_heartbeat(self, message: Message) -> None:
        beat = _decoded(Heartbeat, message)
        now = self._monotonic()
        self._owner.executors.hear(beat, now)
        if beat.replaces:
            self._lose(beat.replaces)
        if beat.leaving:
            # What it has finished and could not tell is told by the next process of the same home; that may
            # take as long as the silence time-out to come.
            if not beat.held:
                self._owner.executors.forget(beat.session)
            self._lose(beat.session)
            return
        await self._reconcile(beat, now)
        self._owner.feed()

    async def check_silence(self) -> None:
        """Give up sessions that were not heard of for too long, also those that never spoke to us."""
        now = self._monotonic()
        executors = self._owner.executors
        if now - self._checked > self._silence / 2:
            # It was this process that was not there: nobody could be heard meanwhile.
            executors.hear_all(now)
            self._born = now
        self._checked = now
        for session in executors.silent(now - self._silence):
            log.warning("executor_silent", session=session)
            executors.forget(session)
            self._lose(session)
        if now - self._born > self._silence:
            for session in {step.attempts[-1].executor for _, step in self._owner.active()}:
                if not executors.is_here(session):
                    self._lose(session)
        metrics.SESSIONS.set(len(executors))

    def _lose(self, session: str) -> None:
        """All that it had, but for what has ended there and another process is about to report."""
        active = [(run, key_of(run, step)) for run, step in self._owner.active(session)]
        if not active:
            return
        kept = self._owner.executors.held() & {key for _, key in active}
        for run in {run.run_id: run for run, key in active if key not in kept}.values():
            command = LoseAttempts(session, random.random(), frozenset(kept))  # noqa: S311
            self._owner.post(run, Posted(command, run.own_meta(), None))

    async def _reconcile(self, beat: Heartbeat, now: float) -> None:
        """A session that was silent and given up comes back like this: what it still runs was lost."""
        held = set(beat.held)
        current = set()
        missing: dict[OwnedRun, list[str]] = {}
        for run, step in self._owner.active(beat.session):
            key = key_of(run, step)
            current.add(key)
            state = run.state
            assert state is not None
            if key not in held:
                if now - run.sent_at.get(key, 0.0) > RESEND_SECONDS:
                    missing.setdefault(run, []).append(step.name)
            elif state.status == "stopping" or step.status == "stopping":
                await self._orders.stop(run, StopAttempt(step.name, key.attempt, beat.session, state.forced))
        for run, steps in missing.items():
            await self._orders.dispatch(run, steps, now)
        ended = {key for key, claim in zip(beat.held, beat.claims, strict=False) if not claim.workspace}
        for key in held - current - ended:
            if self._owner.owns(key.run_id) and not await self._is_current(key, beat.session):
                await self._orders.stop_stray(key, beat.session)

    async def _is_current(self, key: AttemptKey, session: str) -> bool:
        """Asks the ledger about a run that is not in our hands: it may only not have been adopted yet."""
        try:
            run = await self._owner.load(key.run_id)
        except FoldlineError:
            return True  # nobody can say now; the next heartbeat asks again
        if run is None:
            return False
        self._owner.touch(run)
        return any(one is run and key_of(one, step) == key for one, step in self._owner.active(session))


def _several(message: Message) -> list[Raw]:
    try:
        return wire.split(message.body)
    except FoldlineError as error:
        raise Poison(error.message) from error


def _decoded(cls: type[M], message: Message) -> M:
    try:
        return wire.decode(cls, message.body)
    except FoldlineError as error:
        raise Poison(error.message) from error
