"""What goes out to executors: work, stops, acknowledgements. Best effort, over core NATS.

Heartbeats and repeated reports make up for whatever gets lost here.
"""

from __future__ import annotations

from foldline.bus import subjects
from foldline.bus.port import Bus
from foldline.chassis import logs
from foldline.domain.assignments import work_for
from foldline.domain.effects import StopAttempt as StopEffect
from foldline.domain.errors import FoldlineError
from foldline.domain.failures import Failure
from foldline.domain.run import StepState
from foldline.domain.work import AttemptKey, Message, Report, ReportAck, StopAttempt, Work
from foldline.wire import work as wire
from foldline_scheduler import metrics
from foldline_scheduler.partitions import partition_of
from foldline_scheduler.run import OwnedRun

log = logs.logger()

DEFAULT_GRACE_SECONDS = 10.0


class Orders:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def dispatch(self, run: OwnedRun, step: str, now: float) -> None:
        """Send the newest attempt of the step to its executor; `now` is remembered for sending it again."""
        assert run.state is not None
        work = work_for(run.state, step, partition_of(run.run_id))
        run.sent_at[work.key] = now
        metrics.DISPATCHED.inc()
        session = run.state.step(step).attempts[-1].executor
        try:
            await self._bus.publish(subjects.work(session), wire.encode(work))
        except FoldlineError as error:
            if error.reason == "MESSAGE_TOO_LARGE":
                await self._refuse(work, session, error)
            else:
                log.warning("message_not_sent", subject=subjects.work(session), reason=error.reason)

    async def _refuse(self, work: Work, session: str, error: FoldlineError) -> None:
        """No executor will ever get this order: the attempt fails, as if its executor had said so."""
        message = f"what the step is given is too much for one work order: {error.message}"
        failure = Failure(kind="invalid", reason="ORDER_TOO_LARGE", message=message)
        report = Report(key=work.key, session=session, kind="failed", failure=failure)
        await self.send(subjects.report(work.partition), report)

    async def stop(self, run: OwnedRun, effect: StopEffect) -> None:
        assert run.state is not None
        grace = run.state.plan.step(effect.step).timeouts.grace_seconds or DEFAULT_GRACE_SECONDS
        key = AttemptKey(run_id=run.run_id, step=effect.step, attempt=effect.attempt)
        order = StopAttempt(key=key, grace_seconds=grace, forced=effect.forced)
        await self.send(subjects.stop(effect.executor), order)

    async def stop_stray(self, key: AttemptKey, session: str) -> None:
        """End an attempt that the session should not have any more."""
        await self.send(subjects.stop(session), StopAttempt(key=key))

    async def acknowledge(self, report: Report) -> None:
        ack = ReportAck(key=report.key, kind=report.kind, number=report.number)
        await self.send(subjects.ack(report.session), ack)

    async def send(self, subject: str, message: Message) -> None:
        try:
            await self._bus.publish(subject, wire.encode(message))
        except FoldlineError as error:
            log.warning("message_not_sent", subject=subject, reason=error.reason)


def key_of(run: OwnedRun, step: StepState) -> AttemptKey:
    return AttemptKey(run_id=run.run_id, step=step.name, attempt=len(step.attempts))
