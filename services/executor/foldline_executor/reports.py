"""Reports to schedulers, repeated until they are acknowledged, also by the next process.

The report of an ended attempt is the only trace of hours of work: it is written to the spool, and removed
when a scheduler says that it is in the ledger. Where the work was hours, or may not be done again, before it
is first sent; of an attempt of moments only when nobody has taken the report soon: if the process dies before
that, those moments are spent again.

Reports leave in arrays. While the executor has more to do anyway they gather for a moment; one that somebody
waits for takes along all that is there.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import structlog

from foldline.bus import subjects
from foldline.bus.port import Bus, Message
from foldline.chassis.clock import new_id
from foldline.domain.errors import FoldlineError
from foldline.domain.failures import Failure
from foldline.domain.work import AttemptKey, Report, ReportAck
from foldline.wire import work
from foldline_executor import metrics

REPEAT_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
GATHER_SECONDS = 0.01
MOST_GATHERED = 50
SPOOL_AFTER_SECONDS = 0.25
"""An attempt that took less goes to the spool only when its report has waited for so long."""
MOST_ENDED = 1000
"""With more ended attempts that nobody has recorded no new work is taken: heartbeats name all of them."""

log = structlog.get_logger()


class Spooled(msgspec.Struct, frozen=True):
    """The content of a spool file."""

    partition: int
    report: Report


class Pending:
    """A report on its way."""

    def __init__(self, spooled: Spooled, file: Path | None, now: float) -> None:
        self.spooled = spooled
        self.file = file
        self.since = now
        self.due = now + REPEAT_SECONDS

    @property
    def is_end(self) -> bool:
        return self.spooled.report.kind in _ENDS


_ENDS = ("succeeded", "failed")


class Reports:
    """What was reported and not yet acknowledged; of one attempt only the newest report counts."""

    def __init__(self, bus: Bus, spool: Path, tasks: asyncio.TaskGroup) -> None:
        self._bus = bus
        self._tasks = tasks
        self._gathered: list[Pending] = []
        self._timer: asyncio.Handle | None = None
        self._leaves_at = 0.0
        self._spool = spool
        self._pending: dict[AttemptKey, Pending] = {}
        metrics.UNACKNOWLEDGED.set_function(lambda: len(self._pending))
        self._empty = asyncio.Event()
        self._empty.set()
        self.sessions: set[str] = set()
        """Sessions whose reports were found in the spool: their acknowledgements are ours to hear."""
        for file in sorted(spool.glob("*.json")):
            self._recover(file)

    @property
    def ended(self) -> list[AttemptKey]:
        """Attempts that have ended, and whose report nobody has acknowledged."""
        return [key for key, one in self._pending.items() if one.is_end]

    def is_pending(self, key: AttemptKey) -> bool:
        """Has something been reported of it that nobody has acknowledged?"""
        return key in self._pending

    @property
    def problem(self) -> str:
        """Why no new work should be taken; a clause that follows the executor's name, or empty."""
        count = len(self.ended)
        return "" if count < MOST_ENDED else f"waits until {count} ended attempts of it are recorded"

    def send(
        self, report: Report, partition: int, *, may_wait: bool = False, is_precious: bool = False
    ) -> None:
        """Report; from now on it is repeated. It `may_wait` for others, as long as there is more to come.

        `is_precious`: what it tells of must not be done again, however short it was.
        """
        pending = self._keep(report.key, Spooled(partition, report))
        if report.kind in _ENDS and (is_precious or report.seconds >= SPOOL_AFTER_SECONDS):
            self._write(pending)
        self._gather(pending, may_wait=may_wait)

    def progress(self, report: Report, partition: int) -> None:
        """From now on this report is the newest of its attempt."""
        self._gather(self._keep(report.key, Spooled(partition, report)))

    async def acknowledge(self, message: Message) -> None:
        """Handler of ReportAck."""
        for ack in work.decode_all(ReportAck, message.body):
            pending = self._pending.get(ack.key)
            if pending is None:
                continue
            report = pending.spooled.report
            if (report.kind, report.number) != (ack.kind, ack.number):
                continue  # of one that is no longer the newest
            del self._pending[ack.key]
            if pending.file is not None:
                pending.file.unlink(missing_ok=True)
        self._count()

    async def repeat(self) -> None:
        """Send again what is due. The longer a report waits, the rarer it is repeated."""
        now = asyncio.get_running_loop().time()
        for pending in list(self._pending.values()):
            if pending.file is None and pending.is_end and now - pending.since >= SPOOL_AFTER_SECONDS:
                self._write(pending)
            if pending.due <= now:
                pause = max(REPEAT_SECONDS, (now - pending.since) / 30)
                pending.due = now + min(LONGEST_PAUSE_SECONDS, pause)
                self._gathered.append(pending)
        await self._flush()

    async def repeat_all(self) -> None:
        """At once, after a lost connection."""
        self._gathered = list(self._pending.values())
        await self._flush()

    async def wait_empty(self, seconds: float) -> bool:
        """Wait until all is acknowledged, but no longer than that."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def _gather(self, pending: Pending, *, may_wait: bool = False) -> None:
        self._gathered.append(pending)
        self._wake(GATHER_SECONDS if may_wait and len(self._gathered) < MOST_GATHERED else 0.0)

    def _wake(self, seconds: float) -> None:
        """Let what has gathered leave, at the latest then. At once: with all that is told this moment."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._timer is not None:
            if self._leaves_at <= due:
                return
            self._timer.cancel()
        self._timer, self._leaves_at = loop.call_later(seconds, self._leave), due

    def _leave(self) -> None:
        self._timer = None
        self._tasks.create_task(self._flush(), name="reports")

    async def _flush(self) -> None:
        gathered, self._gathered = self._gathered, []
        by_partition: dict[int, list[Pending]] = {}
        for pending in gathered:
            if self._pending.get(pending.spooled.report.key) is pending:  # it is still the newest, and wanted
                by_partition.setdefault(pending.spooled.partition, []).append(pending)
        for partition, those in by_partition.items():
            bodies = {work.encode(pending.spooled.report): pending for pending in those}
            for batch in work.packed(bodies):
                await self._publish(partition, batch, [bodies[body] for body in batch])

    async def _publish(self, partition: int, batch: list[bytes], those: list[Pending]) -> None:
        try:
            await self._bus.publish(subjects.report(partition), work.join(batch))
        except FoldlineError as error:
            if error.reason == "MESSAGE_TOO_LARGE":  # so it is one alone
                await self._give_up(those[0], error)
            else:
                log.debug("reports_not_sent", count=len(those), error=error.message)

    def _write(self, pending: Pending) -> None:
        """To the spool. From memory it is repeated all the same when that fails."""
        file = self._spool / f"{new_id()}.json"
        try:
            _write(file, pending.spooled)
        except OSError as error:
            log.error("report_not_spooled", key=str(pending.spooled.report.key), error=str(error))
        pending.file = file

    async def _give_up(self, pending: Pending, error: FoldlineError) -> None:
        """A report that no bus takes would be repeated for ever, and its step would never end."""
        report = pending.spooled.report
        log.error("report_too_large", key=str(report.key), error=error.message)
        if report.kind not in _ENDS or self._pending.get(report.key) is not pending:
            return
        message = f"the attempt {report.kind}, but what it has to report is too much for one message: "
        refused = Report(
            key=report.key,
            session=report.session,
            kind="failed",
            failure=Failure(kind="invalid", reason="REPORT_TOO_LARGE", message=message + error.message),
            seconds=report.seconds,
            max_rss_bytes=report.max_rss_bytes,
            log_lines=report.log_lines,
        )
        self.send(refused, pending.spooled.partition, is_precious=True)
        if pending.file is not None:
            pending.file.unlink(missing_ok=True)

    def _keep(self, key: AttemptKey, spooled: Spooled, file: Path | None = None) -> Pending:
        pending = Pending(spooled, file, asyncio.get_running_loop().time())
        self._pending[key] = pending
        self._count()
        return pending

    def _count(self) -> None:
        if self._pending:
            self._empty.clear()
        else:
            self._empty.set()

    def _recover(self, file: Path) -> None:
        try:
            spooled = msgspec.json.decode(file.read_bytes(), type=Spooled)
        except msgspec.MsgspecError as error:
            log.error("spool_file_unreadable", file=str(file), error=str(error))
            file.rename(file.with_suffix(".unreadable"))
            return
        self.sessions.add(spooled.report.session)
        self._keep(spooled.report.key, spooled, file)


def _write(file: Path, spooled: Spooled) -> None:
    partial = file.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(spooled))
    partial.rename(file)
