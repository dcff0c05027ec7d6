"""Reports to schedulers, repeated until they are acknowledged, also by the next process.

The report of an ended attempt is the only trace of hours of work: it is written to the spool before it is
first sent, and removed when a scheduler says that it is in the ledger.
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


_ENDS = ("succeeded", "failed")


class Reports:
    """What was reported and not yet acknowledged; of one attempt only the newest report counts."""

    def __init__(self, bus: Bus, spool: Path) -> None:
        self._bus = bus
        self._spool = spool
        self._pending: dict[AttemptKey, Pending] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self.sessions: set[str] = set()
        """Sessions whose reports were found in the spool: their acknowledgements are ours to hear."""
        for file in sorted(spool.glob("*.json")):
            self._recover(file)

    @property
    def ended(self) -> list[AttemptKey]:
        """Attempts that have ended, and whose report nobody has acknowledged."""
        return [key for key, one in self._pending.items() if one.file is not None]

    def __contains__(self, key: AttemptKey) -> bool:
        """Is a report of the attempt on its way?"""
        return key in self._pending

    @property
    def problem(self) -> str:
        """Why no new work should be taken; a clause that follows the executor's name, or empty."""
        count = len(self.ended)
        return "" if count < MOST_ENDED else f"waits until {count} ended attempts of it are recorded"

    async def send(self, report: Report, partition: int) -> None:
        """Report; from now on it is repeated. A report of an end is on disk before it is sent."""
        spooled = Spooled(partition, report)
        file = None
        if report.kind in _ENDS:
            file = self._spool / f"{new_id()}.json"
            try:
                _write(file, spooled)
            except OSError as error:
                # From memory it is repeated all the same.
                log.error("report_not_spooled", key=str(report.key), error=str(error))
        await self.publish(self._keep(report.key, spooled, file))

    def keep(self, report: Report, partition: int) -> Pending:
        """From now on the report is the newest of its attempt, and repeated; `publish` sends it at once."""
        return self._keep(report.key, Spooled(partition, report), None)

    async def acknowledge(self, message: Message) -> None:
        """Handler of ReportAck."""
        ack = work.decode(ReportAck, message.body)
        pending = self._pending.get(ack.key)
        if pending is None:
            return
        report = pending.spooled.report
        if (report.kind, report.number) != (ack.kind, ack.number):
            return  # of one that is no longer the newest
        del self._pending[ack.key]
        if pending.file is not None:
            pending.file.unlink(missing_ok=True)
        self._count()

    async def repeat(self) -> None:
        """Send again what is due. The longer a report waits, the rarer it is repeated."""
        now = asyncio.get_running_loop().time()
        for pending in list(self._pending.values()):
            if pending.due <= now:
                pause = max(REPEAT_SECONDS, (now - pending.since) / 30)
                pending.due = now + min(LONGEST_PAUSE_SECONDS, pause)
                await self.publish(pending)

    async def repeat_all(self) -> None:
        """At once, after a lost connection."""
        for pending in list(self._pending.values()):
            await self.publish(pending)

    async def wait_empty(self, seconds: float) -> bool:
        """Wait until all is acknowledged, but no longer than that."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def publish(self, pending: Pending) -> None:
        """Send it once more."""
        subject = subjects.report(pending.spooled.partition)
        try:
            await self._bus.publish(subject, work.encode(pending.spooled.report))
        except FoldlineError as error:
            if error.reason == "MESSAGE_TOO_LARGE":
                await self._give_up(pending, error)
            else:
                log.debug("report_not_sent", key=str(pending.spooled.report.key), error=error.message)

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
        await self.send(refused, pending.spooled.partition)
        if pending.file is not None:
            pending.file.unlink(missing_ok=True)

    def _keep(self, key: AttemptKey, spooled: Spooled, file: Path | None) -> Pending:
        pending = Pending(spooled, file, asyncio.get_running_loop().time())
        self._pending[key] = pending
        self._count()
        return pending

    def _count(self) -> None:
        metrics.UNACKNOWLEDGED.set(len(self._pending))
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
