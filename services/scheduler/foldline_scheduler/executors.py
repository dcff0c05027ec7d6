"""The executors as their heartbeats show them, and which of their slots are taken.

Nothing here is a fact: it is what this scheduler believes now, rebuilt from heartbeats after a restart. What
was scheduled where is in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator

from foldline.domain.work import AttemptKey, Heartbeat
from foldline_scheduler import policy


class Session:
    """One executor process from its start to its end."""

    def __init__(self, heartbeat: Heartbeat, heard_at: float) -> None:
        self.heartbeat = heartbeat
        self.heard_at = heard_at
        self.reserved: set[AttemptKey] = set()
        self.ended: set[AttemptKey] = set()  # reported as ended, and held until that is acknowledged

    @property
    def free(self) -> int:
        if self.heartbeat.draining or self.heartbeat.leaving:
            return 0
        return self.heartbeat.slots - len(self.reserved.union(self.heartbeat.held) - self.ended)


class Executors:
    """Every session heard of. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self.changes = 0
        """Grows whenever there may be more room than before."""

    def hear(self, heartbeat: Heartbeat, now: float) -> None:
        self.changes += 1
        if heartbeat.replaces:
            self.forget(heartbeat.replaces)
        session = self._sessions.get(heartbeat.session)
        if session is None:
            self._sessions[heartbeat.session] = Session(heartbeat, now)
            return
        session.heartbeat = heartbeat
        session.heard_at = now
        session.ended.intersection_update(heartbeat.held)

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
        self.changes += 1
        if (found := self._sessions.get(session)) is not None:
            found.reserved.discard(key)
            if key in found.heartbeat.held:
                found.ended.add(key)

    def __len__(self) -> int:
        return len(self._sessions)

    def choose(self, *, region: str, pool: str) -> str | None:
        return policy.choose(self._candidates(), region=region, pool=pool)

    def _candidates(self) -> Iterator[policy.Candidate]:
        for name, session in self._sessions.items():
            beat = session.heartbeat
            yield policy.Candidate(name, beat.region, beat.pool, session.free)
