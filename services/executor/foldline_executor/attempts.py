"""The attempts of this session: each started once, whatever arrives twice; each reported, however it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog
from msgspec import UNSET

from foldline.artifacts.port import ArtifactError
from foldline.bus.port import Message, Poison
from foldline.domain.artifacts import Artifact
from foldline.domain.errors import FoldlineError
from foldline.domain.failures import Failure
from foldline.domain.work import AttemptKey, Claim, Report, StopAttempt, Work
from foldline.execution import carrier
from foldline.execution.carrier import Result
from foldline.execution.notes import Notes
from foldline.execution.progress import Pace
from foldline.wire import work as wire
from foldline_executor import metrics
from foldline_executor.logs import AttemptLog
from foldline_executor.process import Runner
from foldline_executor.reports import Reports
from foldline_executor.settings import VERSION

START_REPORT_SECONDS = 0.025
"""Attempts that end sooner are not reported as started by themselves."""

INLINED_BYTES = 512 * 1024
"""All values that travel inside one report, together."""

MOST_KNOWN = 100_000
"""Attempts that are remembered, so that none is started twice."""

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
_BUG = Failure(
    kind="infrastructure", reason="EXECUTOR_FAULT", message="the executor itself failed; its log says how"
)


class _Order(msgspec.Struct, frozen=True):
    """So much of a work order tells whose it is."""

    key: AttemptKey
    partition: int = 0


class _Live:
    """An attempt between its work order and its report."""

    def __init__(self, work: Work, attempt_log: AttemptLog) -> None:
        self.work = work
        self.log = attempt_log
        self.since = time.monotonic()
        self.verdict: Failure | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_begun = False
        self.is_ended = False
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
        self._slots = asyncio.Semaphore(slots)
        self._runner = runner
        self._reports = reports
        self._open_log = open_log
        self._tasks = tasks
        self._known: dict[AttemptKey, int] = {}  # and how often it was ordered after it had ended
        self._live: dict[AttemptKey, _Live] = {}
        self._is_leaving = False

    @property
    def claims(self) -> dict[AttemptKey, Claim]:
        """Attempts that run or will, and what they take; and those that have ended and are not acknowledged:
        they take nothing.
        """
        ended = dict.fromkeys(self._reports.ended, Claim())
        return {key: ended.get(key) or _claim(live.work) for key, live in self._live.items()} | ended

    @property
    def busy(self) -> int:
        return len(self._live)

    async def on_work(self, message: Message) -> None:
        """Handler of Work. An attempt that this session knows already is not started again."""
        try:
            work = wire.decode(Work, message.body)
        except FoldlineError as error:
            await self._refuse(message, error)
            return
        if work.key in self._known:
            await self._say_again(work)
            return
        self._know(work.key)
        live = self._live[work.key] = _Live(work, self._open_log(work.key))
        if self._is_leaving:
            live.verdict = _LEFT
        live.task = self._tasks.create_task(self._carry_out(live), name=f"attempt {work.key}")
        self.changed.set()

    def _know(self, key: AttemptKey) -> None:
        """Of the last of them only: an order is repeated within seconds."""
        self._known[key] = 0
        while len(self._known) > MOST_KNOWN and (oldest := next(iter(self._known))) not in self._live:
            del self._known[oldest]

    async def _say_again(self, work: Work) -> None:
        """An order for what is known. Where it has ended, and its end was acknowledged, this is a late copy;
        when more of them come the ledger has forgotten, for it was restored to a time before.
        """
        log.debug("work_known_already", key=str(work.key))
        if work.key in self._live or work.key in self._reports:
            return
        self._known[work.key] += 1
        if self._known[work.key] > LATE_COPIES:
            log.warning("attempt_forgotten", key=str(work.key))
            report = Report(key=work.key, session=self._session, kind="failed", failure=_FORGOTTEN)
            await self._reports.send(report, work.partition)

    async def _refuse(self, message: Message, error: FoldlineError) -> None:
        """Park an order that cannot be read, and have its attempt fail where that can be told.

        Otherwise it would be sent again for ever. An executor of another version may be able to read it.
        """
        try:
            order = msgspec.json.decode(message.body, type=_Order)
        except msgspec.MsgspecError:
            raise Poison(error.message) from error
        if order.key in self._known:
            return
        self._know(order.key)
        text = f"the executor (version {VERSION}) cannot read the work order: {error.message}"
        failure = Failure(kind="infrastructure", reason="ORDER_UNREADABLE", message=text)
        report = Report(key=order.key, session=self._session, kind="failed", failure=failure)
        await self._reports.send(report, order.partition)
        raise Poison(error.message) from error

    async def on_stop(self, message: Message) -> None:
        """Handler of StopAttempt."""
        stop = wire.decode(StopAttempt, message.body)
        if live := self._live.get(stop.key):
            self._stop(live, _STOPPED, stop.grace_seconds, forced=stop.forced)

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
        # It waits for a slot, its inputs, or its outputs. A task that has not begun looks for itself.
        if live.task is not None and live.is_begun and not live.task.cancelling():
            live.task.cancel()

    async def _carry_out(self, live: _Live) -> None:
        live.is_begun = True
        result = await self._result(live)
        live.is_ended = True
        if live.pace is not None:
            live.pace.end()
        report = self._report(live, result)
        self._count(live, result)
        try:
            await self._reports.send(report, live.work.partition)
        finally:
            del self._live[live.work.key]
            self.changed.set()

    async def _result(self, live: _Live) -> Result:
        """However it ends. A bug in here costs this attempt and nothing else."""
        try:
            result = await self._run(live)
        except asyncio.CancelledError:
            if live.verdict is None:
                raise  # the whole process is being ended
            result = Result(failure=live.verdict)
        except Exception as error:
            log.exception("attempt_broken", key=str(live.work.key), exc_info=error)
            result = Result(failure=_BUG)
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
        async with self._slots:
            metrics.BUSY.inc()
            try:
                if live.work.effects == "unsafe" and not await live.log.begin_once():
                    return Result(failure=_FORGOTTEN)
                return await self._runner.run(
                    live.work,
                    live.log,
                    lambda: self._on_started(live),
                    lambda notes, at_once: self._on_told(live, notes, at_once),
                )
            finally:
                metrics.BUSY.dec()

    def _on_started(self, live: _Live) -> None:
        self._tasks.create_task(self._report_start(live))

    async def _report_start(self, live: _Live) -> None:
        """Not at once: the end of a short attempt tells of its start, too, for one commit instead of two."""
        await asyncio.sleep(START_REPORT_SECONDS)
        # What an attempt tells on its way says that it has started, and must not be taken back by this.
        if self._live.get(live.work.key) is live and not live.is_ended and not live.told:
            await self._reports.send(carrier.started(live.work.key, self._session), live.work.partition)

    def _on_told(self, live: _Live, notes: Notes, at_once: bool) -> None:
        if live.pace is None:
            live.pace = Pace(lambda: self._report_progress(live, notes))
        if not live.is_ended:
            live.pace.tell(at_once)

    def _report_progress(self, live: _Live, notes: Notes) -> None:
        live.told += 1
        report = carrier.progressed(live.work.key, self._session, notes, live.told)
        sent = self._reports.keep(report, live.work.partition)
        self._tasks.create_task(self._reports.publish(sent))

    def _report(self, live: _Live, result: Result) -> Report:
        failure = result.failure
        if failure is not None and failure.kind == "stopped" and live.verdict is _LEFT:
            failure = _LEFT
        result = msgspec.structs.replace(result, failure=failure, outputs=_within_limit(result.outputs))
        return carrier.ended(live.work.key, self._session, result, live.log.lines)

    def _count(self, live: _Live, result: Result) -> None:
        outcome = "succeeded" if result.failure is None else result.failure.kind
        metrics.ATTEMPTS.labels(outcome).inc()
        metrics.SECONDS.observe(time.monotonic() - live.since)
        log.info("attempt_ended", key=str(live.work.key), outcome=outcome, lines=live.log.lines)


def _claim(work: Work) -> Claim:
    return Claim(workspace=work.workspace, workflow=work.workflow, resources=work.resources, ranks=work.ranks)


def _within_limit(outputs: dict[str, Artifact]) -> dict[str, Artifact]:
    """Many inlined values together may be too much for one message; the largest go by digest alone."""
    room = INLINED_BYTES
    kept: dict[str, Artifact] = {}
    for name, artifact in sorted(outputs.items(), key=lambda item: item[1].size_bytes):
        room -= artifact.size_bytes if artifact.value is not UNSET else 0
        kept[name] = artifact if room >= 0 else msgspec.structs.replace(artifact, value=UNSET)
    return {name: kept[name] for name in outputs}
