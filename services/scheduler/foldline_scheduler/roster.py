"""The executors for people: who is there, in which state, and asking one to take no more work."""

from __future__ import annotations

from collections.abc import Callable

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.bus import subjects
from foldline.bus.port import Bus
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.work import Drain, Heartbeat
from foldline.wire import work as wire
from foldline_scheduler.executors import Executors

SILENT_SECONDS = 3.0
"""Three heartbeats that did not come."""


class Roster:
    def __init__(self, executors: Executors, bus: Bus, monotonic: Callable[[], float]) -> None:
        self._executors = executors
        self._bus = bus
        self._monotonic = monotonic

    def everyone(self) -> list[pb.Executor]:
        """Every executor that is heard of, by region, pool, name and session."""
        now = self._monotonic()
        found = [_shown(one.heartbeat, now - one.heard_at) for one in self._executors.sessions]
        return sorted(found, key=lambda one: (one.region, one.pool, one.name, one.session))

    async def drain(self, executor: str, *, undo: bool) -> list[str]:
        """Ask those with this name or session. Raises NOT_FOUND."""
        beats = [one.heartbeat for one in self._executors.sessions]
        asked = sorted(beat.session for beat in beats if executor in (beat.name, beat.session))
        if not asked:
            known = ", ".join(sorted({beat.name for beat in beats})) or "none at all"
            message = f"there is no executor {executor!r}; heard of are {known}"
            raise FoldlineError(Kind.NOT_FOUND, "UNKNOWN_EXECUTOR", message)
        for session in asked:
            await self._bus.publish(subjects.drain(session), wire.encode(Drain(undo=undo)))
        return asked


def _shown(beat: Heartbeat, seconds_silent: float) -> pb.Executor:
    state, reason = _state(beat, seconds_silent)
    return pb.Executor(
        session=beat.session,
        name=beat.name,
        region=beat.region,
        pool=beat.pool,
        state=state,
        reason=reason,
        version=beat.version,
        slots=beat.slots,
        held=len(beat.held),
        cpu=beat.cpu,
        memory_bytes=beat.memory_bytes,
        gpu=beat.gpu,
        flavors=beat.flavors,
        labels=beat.labels,
        backends=beat.backends,
        seconds_silent=seconds_silent,
    )


def _state(beat: Heartbeat, seconds_silent: float) -> tuple[str, str]:
    if beat.leaving:
        return (
            "leaving",
            f"it has ended; {len(beat.held)} of its attempts have to be reported by the next one",
        )
    if seconds_silent > SILENT_SECONDS:
        return "silent", f"it was not heard of for {seconds_silent:.0f} s"
    if beat.draining:
        return "draining", beat.closed
    return ("closed", beat.closed) if beat.closed else ("ready", "")
