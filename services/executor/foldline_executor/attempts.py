"""The attempts of this session: each started once, whatever arrives twice; each reported, however it ends.

An order may bring orders for what comes next (`chains`): as long as attempts succeed quickly, one goes on
from the other in the same slot, and the reports leave together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import msgspec
import structlog

from foldline.artifacts.port import ArtifactError
from foldline.bus.port import Message, Poison
from foldline.domain.errors import FoldlineError
from foldline.domain.failures import Failure
from foldline.domain.work import AttemptKey, Claim, Report, StopAttempt, Work
from foldline.execution import carrier
from foldline.execution.carrier import Result
from foldline.execution.notes import Notes
from foldline.execution.progress import Pace
from foldline.wire import work as wire
from foldline_executor import metrics
from foldline_executor.chains import Chain
from foldline_executor.known import Known
from foldline_executor.logs import AttemptLog
from foldline_executor.process import Runner
from foldline_executor.reports import Reports
from foldline_executor.settings import VERSION

START_REPORT_SECONDS = 0.025
"""Attempts that end sooner are not reported as started by themselves."""

LATE_COPIES = 1
"""Orders for an attempt that has ended may still be on their way; more than so many are no accident."""

log = structlog.get_logger()

_STOPPED = Failure(kind="stopped", reason="STEP_STOPPED", message="the step was stopped before it started")
_LEFT = Failure(
    kind="infrastructure", reason="EXECUTOR_LEFT", message="the executor shut down before the attempt ended"
)
_FORGOTTEN = Failure(
    kind="lost",
    reason="ATTEMPT_FORGOTTEN",
    message="the attempt was carried out before, and the ledger does not know how it ended: it was restored",
)
_NO_SLOT = Failure(kind="infrastructure", reason="NO_SLOT", message="its executor had no slot for it in time")
_BUG = Failure(
    kind="infrastructure", reason="EXECUTOR_FAULT", message="the executor itself failed; its log says how"
)


class _Order(msgspec.Struct, frozen=True):
    """So much of a work order tells whose it is."""

    key: AttemptKey
    partition: int = 0


class _Live:
    """An attempt between its work order and its report."""

    def __init__(self, work: Work, attempt_log: AttemptLog, chain: Chain) -> None:
        self.work = work
        self.log = attempt_log
        self.chain = chain
        self.after: AttemptKey | None = None
        """Begun ahead of the ledger, on the success of that one."""
        self.since = time.monotonic()
        self.verdict: Failure | None = None
        self.task: asyncio.Task[None] | None = None
        """None while it is in line."""
        self.patience: asyncio.TimerHandle | None = None
        """For which it stays in line."""
        self.is_running = False
        self.is_ended = False
        self.starting: asyncio.TimerHandle | None = None
        self.pace: Pace | None = None
        """Once the attempt has told anything."""
        self.told = 0


class Attempts:
    """`changed` is set whenever what is held has changed."""

    def __init__(
        self,
        *,
        session: str,
        slots: int,
        runner: Runner,
        reports: Reports,
        open_log: Callable[[AttemptKey], AttemptLog],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.changed = asyncio.Event()
        self._session = session
        self._free = slots
        self._line: dict[AttemptKey, _Live] = {}
        """Who waits for a slot, in this order."""
        self._runner = runner
        self._reports = reports
        self._open_log = open_log
        self._tasks = tasks
        self._known: Known[AttemptKey] = Known()
        self._live: dict[AttemptKey, _Live] = {}
        self._is_leaving = False
        metrics.BUSY.set_function(lambda: slots - self._free)

    @property
    def claims(self) -> dict[AttemptKey, Claim]:
        """Attempts that run or will, and what they take; and those that have ended and are not acknowledged:
        they take nothing. What was begun ahead is nobody's yet while the ledger does not know of it.
        """
        ended = dict.fromkeys(self._reports.ended, Claim())
        told = {
            key: ended.get(key) or _claim(live.work)
            for key, live in self._live.items()
            if live.after is None or not self._reports.is_pending(live.after)
        }
        return told | ended

    @property
    def busy(self) -> int:
        return len(self._live)

    async def on_work(self, message: Message) -> None:
        """Handler of Work. An attempt that this session knows already is not started again."""
        unreadable: FoldlineError | None = None
        try:
            bodies = wire.split(message.body)
        except FoldlineError as error:
            raise Poison(error.message) from error
        for body in bodies:
            try:
                work = wire.decode(Work, body)
            except FoldlineError as error:
                if self._refuse(body, error):
                    unreadable = error
                continue
            if work.key in self._known:
                self._say_again(work)
                continue
            self._place(self._take(work, Chain(work)))
        self.changed.set()
        if unreadable is not None:
            raise Poison(unreadable.message) from unreadable

    def _take(self, work: Work, chain: Chain) -> _Live:
        self._known.add(work.key, self._holds)
        live = self._live[work.key] = _Live(work, self._open_log(work.key), chain)
        if self._is_leaving:
            live.verdict = _LEFT
        return live

    def _place(self, live: _Live) -> None:
        """Give it a slot, or a place in line."""
        if live.verdict is not None:
            self._turn_away(live)
        elif self._free > 0:
            self._free -= 1
            live.task = self._tasks.create_task(self._work(live), name="slot")
        else:
            self._line[live.work.key] = live
            if live.work.slot_seconds:
                loop = asyncio.get_running_loop()
                live.patience = loop.call_later(live.work.slot_seconds, self._give_up, live)

    def _next(self) -> _Live | None:
        """Who gets a slot that is free."""
        if not self._line:
            return None
        live = self._line.pop(next(iter(self._line)))
        if live.patience is not None:
            live.patience.cancel()
        return live

    def _give_up(self, live: _Live) -> None:
        if self._line.pop(live.work.key, None) is not None:
            live.verdict = _NO_SLOT
            self._turn_away(live)

    def _turn_away(self, live: _Live) -> None:
        """It ends as its verdict says, without a slot."""

        async def end() -> None:
            await self._carry_out(live)

        live.task = self._tasks.create_task(end(), name="refusal")

    def _holds(self, key: AttemptKey) -> bool:
        """Does it run, or has nobody acknowledged its end?"""
        return key in self._live or self._reports.is_pending(key)

    def _say_again(self, work: Work) -> None:
        """An order for what is known. Where it has ended, and its end was acknowledged, this is a late copy;
        when more of them come the ledger has forgotten, for it was restored to a time before.
        """
        log.debug("work_known_already", key=str(work.key))
        if self._holds(work.key) or self._known.ask_again(work.key) <= LATE_COPIES:
            return
        log.warning("attempt_forgotten", key=str(work.key))
        report = Report(key=work.key, session=self._session, kind="failed", failure=_FORGOTTEN)
        self._reports.send(report, work.partition)

    def _refuse(self, body: msgspec.Raw, error: FoldlineError) -> bool:
        """Have the attempt of an order that cannot be read fail, where that can be told; was it new?

        Otherwise it would be sent again for ever. An executor of another version may be able to read it.
        """
        try:
            order = msgspec.json.decode(body, type=_Order)
        except msgspec.MsgspecError:
            return True
        if order.key in self._known:
            return False
        self._known.add(order.key, self._holds)
        text = f"the executor (version {VERSION}) cannot read the work order: {error.message}"
        failure = Failure(kind="infrastructure", reason="ORDER_UNREADABLE", message=text)
        report = Report(key=order.key, session=self._session, kind="failed", failure=failure)
        self._reports.send(report, order.partition)
        return True

    async def on_stop(self, message: Message) -> None:
        """Handler of StopAttempt."""
        stop = wire.decode(StopAttempt, message.body)
        for live in self._reached_by(stop.key):
            live.chain.cut()
            self._stop(live, _STOPPED, stop.grace_seconds, forced=stop.forced)

    def _reached_by(self, key: AttemptKey) -> Iterable[_Live]:
        """The attempt, or the one that has gone on from it by now."""
        if live := self._live.get(key):
            return [live]
        return [live for live in self._live.values() if key in live.chain.done]

    async def keep_logs(self) -> None:
        """Bring to the store what the attempts wrote lately."""
        for live in list(self._live.values()):
            try:
                await live.log.keep()
            except ArtifactError as error:
                log.warning("log_not_kept", key=str(live.work.key), error=str(error))

    async def leave(self, patience: float) -> None:
        """Let what runs, and what still arrives, go on for a while; then stop it and take nothing new."""
        is_idle = await self._wait_idle(patience)
        self._is_leaving = True
        if is_idle:
            return
        for live in list(self._live.values()):
            self._stop(live, _LEFT, 0.0)
        await self._wait_idle(max(10.0, patience))

    async def _wait_idle(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while (tasks := {live.task for live in self._live.values() if live.task is not None}) and (
            rest := end - time.monotonic()
        ) > 0:
            await asyncio.wait(tasks, timeout=rest)
        return not self._live

    def _stop(self, live: _Live, verdict: Failure, grace_seconds: float, *, forced: bool = False) -> None:
        if live.verdict is None:
            log.info("attempt_stopping", key=str(live.work.key), reason=verdict.reason)
            live.verdict = verdict
        if self._runner.stop(live.work, grace_seconds, forced=forced):
            return
        if self._line.pop(live.work.key, None) is not None:
            if live.patience is not None:
                live.patience.cancel()
            self._turn_away(live)
        # It waits for its inputs, or its outputs. One that has not begun looks for itself.
        elif live.task is not None and live.is_running and not live.task.cancelling():
            live.task.cancel()

    async def _work(self, first: _Live) -> None:
        """In one slot: an attempt, and what goes on from it; then who is next in line."""
        task = asyncio.current_task()
        live: _Live | None = first
        try:
            while live is not None:
                live.task = task
                if live.after is None:
                    live.chain.start()
                live = await self._carry_out(live) or self._next()
        finally:
            self._free += 1

    async def _carry_out(self, live: _Live) -> _Live | None:
        """To its report; what goes on from it, if anything does."""
        try:
            return self._end(live, await self._result(live))
        finally:
            del self._live[live.work.key]
            self.changed.set()

    def _end(self, live: _Live, result: Result) -> _Live | None:
        live.is_ended = True
        if live.starting is not None:
            live.starting.cancel()
        if live.pace is not None:
            live.pace.end()
        report = self._report(live, result)
        self._count(live, result)
        following = self._following(live, result)
        if following is not None:
            report = msgspec.structs.replace(report, goes_on=following.work.key)
        self._reports.send(
            report,
            live.work.partition,
            may_wait=following is not None or bool(self._line),
            is_precious=live.work.effects == "unsafe",
        )
        return following

    def _following(self, live: _Live, result: Result) -> _Live | None:
        """What goes on from here, in the slot of this one."""
        chain = live.chain
        work = (
            None if result.failure is not None or self._is_leaving else chain.next(live.work, result.outputs)
        )
        if work is None or work.key in self._known:
            return None
        following = self._take(work, chain)
        following.after = live.work.key
        return following

    async def _result(self, live: _Live) -> Result:
        """However it ends. A bug in here costs this attempt and nothing else."""
        live.is_running = True
        try:
            result = await self._run(live)
        except asyncio.CancelledError:
            if live.verdict is None or live.task is None:
                raise  # the whole process is being ended
            live.task.uncancel()  # others are carried out by this task, too
            result = Result(failure=live.verdict)
        except Exception as error:
            log.exception("attempt_broken", key=str(live.work.key), exc_info=error)
            result = Result(failure=_BUG)
        finally:
            live.is_running = False
        try:
            await live.log.end()
        except ArtifactError as error:
            message = f"the log was lost: {error}"
            lost = Failure(kind="infrastructure", reason="STORE_FAILED", message=message)
            result = Result(failure=result.failure or lost)
        return result

    async def _run(self, live: _Live) -> Result:
        if live.verdict is not None:
            return Result(failure=live.verdict)
        if live.work.effects == "unsafe" and not await live.log.begin_once():
            return Result(failure=_FORGOTTEN)
        return await self._runner.run(
            live.work,
            live.log,
            lambda: self._on_started(live),
            lambda notes, at_once: self._on_told(live, notes, at_once),
        )

    def _on_started(self, live: _Live) -> None:
        """Not told at once: the end of a short attempt tells of its start, too, in one commit."""
        loop = asyncio.get_running_loop()
        live.starting = loop.call_later(START_REPORT_SECONDS, self._report_start, live)

    def _report_start(self, live: _Live) -> None:
        # What an attempt tells on its way says that it has started, and must not be taken back by this.
        if not live.is_ended and not live.told:
            self._reports.send(carrier.started(live.work.key, self._session), live.work.partition)

    def _on_told(self, live: _Live, notes: Notes, at_once: bool) -> None:
        if live.pace is None:
            live.pace = Pace(lambda: self._report_progress(live, notes))
        if not live.is_ended:
            live.pace.tell(at_once)

    def _report_progress(self, live: _Live, notes: Notes) -> None:
        live.told += 1
        report = carrier.progressed(live.work.key, self._session, notes, live.told)
        self._reports.progress(report, live.work.partition)

    def _report(self, live: _Live, result: Result) -> Report:
        failure = result.failure
        if failure is not None and failure.kind == "stopped" and live.verdict is _LEFT:
            failure = _LEFT
        if failure is not result.failure:
            result = msgspec.structs.replace(result, failure=failure)
        report = carrier.ended(live.work.key, self._session, result, live.log.lines)
        return report if live.after is None else msgspec.structs.replace(report, after=live.after)

    def _count(self, live: _Live, result: Result) -> None:
        outcome = "succeeded" if result.failure is None else result.failure.kind
        metrics.ATTEMPTS.labels(outcome).inc()
        metrics.SECONDS.observe(time.monotonic() - live.since)


def _claim(work: Work) -> Claim:
    return Claim(workspace=work.workspace, workflow=work.workflow, resources=work.resources, ranks=work.ranks)
