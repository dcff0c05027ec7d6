"""What goes out to executors: work, stops, acknowledgements. Best effort, over core NATS.

Heartbeats and repeated reports make up for whatever gets lost here.
"""

from __future__ import annotations

from collections.abc import Iterable

from foldline.bus import subjects
from foldline.bus.port import Bus
from foldline.chassis import logs
from foldline.domain import ahead
from foldline.domain.assignments import work_for
from foldline.domain.effects import StopAttempt as StopEffect
from foldline.domain.errors import FoldlineError
from foldline.domain.failures import Failure
from foldline.domain.run import StepState
from foldline.domain.work import AttemptKey, Report, ReportAck, StopAttempt, Work
from foldline.wire import work as wire
from foldline_scheduler import metrics
from foldline_scheduler.partitions import partition_of
from foldline_scheduler.run import OwnedRun

log = logs.logger()

DEFAULT_GRACE_SECONDS = 10.0


class Orders:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def dispatch(self, run: OwnedRun, steps: Iterable[str], now: float) -> None:
        """Send the newest attempts of these steps to their executors, in as few messages as possible; `now`
        is remembered for sending them again.
        """
        assert run.state is not None
        by_session: dict[str, dict[bytes, Work]] = {}
        for step in steps:
            work = ahead.chain(run.state, work_for(run.state, step, partition_of(run.run_id)))
            run.sent_at[work.key] = now
            session = run.state.step(step).attempts[-1].executor
            by_session.setdefault(session, {})[wire.encode(work)] = work
        for session, works in by_session.items():
            metrics.DISPATCHED.inc(len(works))
            for batch in wire.packed(works):
                await self._dispatch(session, batch, works)

    def note(self, run: OwnedRun, steps: Iterable[str], now: float) -> None:
        """The newest attempts of these steps are with their executors."""
        assert run.state is not None
        for step in steps:
            run.sent_at[key_of(run, run.state.step(step))] = now

    async def _dispatch(self, session: str, batch: list[bytes], works: dict[bytes, Work]) -> None:
        try:
            await self._bus.publish(subjects.work(session), wire.join(batch))
        except FoldlineError as error:
            if error.reason == "MESSAGE_TOO_LARGE":  # so it is one alone
                await self._refuse(works[batch[0]], session, error)
            else:
                log.warning("message_not_sent", subject=subjects.work(session), reason=error.reason)

    async def _refuse(self, work: Work, session: str, error: FoldlineError) -> None:
        """No executor will ever get this order: the attempt fails, as if its executor had said so."""
        message = f"what the step is given is too much for one work order: {error.message}"
        failure = Failure(kind="invalid", reason="ORDER_TOO_LARGE", message=message)
        report = Report(key=work.key, session=session, kind="failed", failure=failure)
        await self._send(subjects.report(work.partition), wire.encode_all([report]))

    async def stop(self, run: OwnedRun, effect: StopEffect) -> None:
        assert run.state is not None
        grace = run.state.plan.step(effect.step).timeouts.grace_seconds or DEFAULT_GRACE_SECONDS
        key = AttemptKey(run_id=run.run_id, step=effect.step, attempt=effect.attempt)
        order = StopAttempt(key=key, grace_seconds=grace, forced=effect.forced)
        await self._send(subjects.stop(effect.executor), wire.encode(order))

    async def stop_stray(self, key: AttemptKey, session: str) -> None:
        """End an attempt that the session should not have any more."""
        await self._send(subjects.stop(session), wire.encode(StopAttempt(key=key)))

    async def acknowledge(self, reports: Iterable[Report]) -> None:
        by_session: dict[str, list[ReportAck]] = {}
        for report in reports:
            ack = ReportAck(key=report.key, kind=report.kind, number=report.number)
            by_session.setdefault(report.session, []).append(ack)
        for session, acks in by_session.items():
            await self._send(subjects.ack(session), wire.encode_all(acks))

    async def _send(self, subject: str, body: bytes) -> None:
        try:
            await self._bus.publish(subject, body)
        except FoldlineError as error:
            log.warning("message_not_sent", subject=subject, reason=error.reason)


def key_of(run: OwnedRun, step: StepState) -> AttemptKey:
    return AttemptKey(run_id=run.run_id, step=step.name, attempt=len(step.attempts))
