"""The executors as their heartbeats show them, and which of their slots are taken.

Nothing here is a fact: it is what this scheduler believes now, rebuilt from heartbeats after a restart. What
was scheduled where is in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from foldline.domain.work import AttemptKey, Heartbeat
from foldline_scheduler import policy


class Session:
    """One executor process from its start to its end."""

    def __init__(self, heartbeat: Heartbeat, heard_at: float) -> None:
        self.heartbeat = heartbeat
        self.heard_at = heard_at
        self.reserved: set[AttemptKey] = set()

    @property
    def free(self) -> int:
        if self.heartbeat.draining or self.heartbeat.leaving:
            return 0
        return self.heartbeat.slots - len(self.reserved.union(self.heartbeat.held))


class Executors:
    """Every session heard of. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def hear(self, heartbeat: Heartbeat, now: float) -> None:
        if heartbeat.replaces:
            self.forget(heartbeat.replaces)
        session = self._sessions.get(heartbeat.session)
        if session is None:
            self._sessions[heartbeat.session] = Session(heartbeat, now)
            return
        session.heartbeat = heartbeat
        session.heard_at = now

    def forget(self, session: str) -> None:
        self._sessions.pop(session, None)

    def silent(self, before: float) -> list[str]:
        """Sessions last heard of before that time."""
        return [name for name, session in self._sessions.items() if session.heard_at < before]

    def is_here(self, session: str) -> bool:
        return session in self._sessions

    def reserve(self, session: str, key: AttemptKey) -> None:
        self._sessions[session].reserved.add(key)

    def release(self, session: str, key: AttemptKey) -> None:
        """The attempt has ended: its slot is free, also before the next heartbeat says so."""
        found = self._sessions.get(session)
        if found is None:
            return
        found.reserved.discard(key)
        if key in found.heartbeat.held:
            held = tuple(other for other in found.heartbeat.held if other != key)
            found.heartbeat = _with_held(found.heartbeat, held)

    def has_room(self) -> bool:
        return any(session.free > 0 for session in self._sessions.values())

    def __len__(self) -> int:
        return len(self._sessions)

    def choose(self, *, region: str, pool: str) -> str | None:
        return policy.choose(self._candidates(), region=region, pool=pool)

    def _candidates(self) -> Iterator[policy.Candidate]:
        for name, session in self._sessions.items():
            beat = session.heartbeat
            yield policy.Candidate(name, beat.region, beat.pool, session.free)


def _with_held(heartbeat: Heartbeat, held: tuple[AttemptKey, ...]) -> Heartbeat:
    return replace(heartbeat, held=held)
