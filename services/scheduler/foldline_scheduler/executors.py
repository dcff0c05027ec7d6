"""The executors as their heartbeats show them, and what is taken of them.

Nothing here is a fact: it is what this scheduler believes now, rebuilt from heartbeats after a restart. What
was scheduled where is in the ledger. Attempts that other schedulers own are known from the claims in
heartbeats.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from itertools import zip_longest

from msgspec import Struct

from foldline.domain.work import AttemptKey, Claim, Heartbeat
from foldline_scheduler.limits import counted
from foldline_scheduler.policy import DEFAULT_POOL, PROCESS, Candidate
from foldline_scheduler.sizes import NOTHING, UNBOUNDED, USUAL, Flavors, Size, size_of

LEAD_SECONDS = 0.05
MOST_LEAD = 50
"""A session whose attempts end quickly is given so many in advance as fill this time, so that its slots do
not stand empty while an order is on its way (docs/adr/0013).
"""


class Taken(Struct, frozen=True):
    """What an active attempt takes: room of its session, and one of everything it is counted under."""

    size: Size = Size()
    names: tuple[str, ...] = ()


class Session:
    """One executor process from its start to its end."""

    def __init__(self, heartbeat: Heartbeat, heard_at: float) -> None:
        self.heartbeat = heartbeat
        self.held = frozenset(heartbeat.held)
        self.heard_at = heard_at
        self.reserved: dict[AttemptKey, Taken] = {}  # by this scheduler
        self.others: dict[
            AttemptKey, Taken
        ] = {}  # that the heartbeat shows and this scheduler knows nothing of
        self.ended: set[AttemptKey] = set()  # reported as ended; heartbeats may still show them
        self.just_ended: set[AttemptKey] = set()  # those since the last heartbeat
        self.pace = LEAD_SECONDS  # seconds that its attempts lately took, in the mean
        self.odd = 0  # attempts of ours that take anything but the usual
        self.used = NOTHING  # by what this scheduler reserved

    @property
    def is_open(self) -> bool:
        return not (self.heartbeat.draining or self.heartbeat.leaving or self.heartbeat.closed)

    @property
    def total(self) -> Size:
        beat = self.heartbeat
        return Size(
            slots=beat.slots,
            millicpus=round(beat.cpu * 1000) or UNBOUNDED,
            memory_bytes=beat.memory_bytes or UNBOUNDED,
            gpu=beat.gpu,
        )

    @property
    def free(self) -> Size:
        room = self.total.minus(self.used)
        for taken in self.others.values():
            room = room.minus(taken.size)
        return room

    def reserve(self, key: AttemptKey, taken: Taken) -> None:
        self.reserved[key] = taken
        self.odd += taken.size != USUAL
        self.used = self.used.plus(taken.size)

    def release(self, key: AttemptKey) -> Taken | None:
        taken = self.reserved.pop(key, None)
        if taken is not None:
            self.odd -= taken.size != USUAL
            self.used = self.used.minus(taken.size)
        return taken

    @property
    def lead(self) -> int:
        """Attempts of the usual size that it takes beyond its slots."""
        if self.odd or any(taken.size not in (USUAL, NOTHING) for taken in self.others.values()):
            return 0
        slots = self.heartbeat.slots
        if USUAL.millicpus * slots > self.total.millicpus:
            return 0  # it must not fill its slots
        each = int(LEAD_SECONDS / max(self.pace, 0.001)) - 1
        return max(0, min(MOST_LEAD, each * slots))

    @property
    def place(self) -> tuple[str, str]:
        return (self.heartbeat.region, self.heartbeat.pool or DEFAULT_POOL)


class Executors:
    """Every session heard of. Times are seconds of a monotonic clock."""

    def __init__(self, flavors: Flavors | None = None) -> None:
        self.usage: dict[str, int] = {}
        """Active attempts of all schedulers, as far as this one knows."""
        self.changes = 0
        """Grows whenever there may be more room than before."""
        self._flavors: Flavors = flavors or {}
        self._sessions: dict[str, Session] = {}
        self._absent: dict[
            str, dict[AttemptKey, Taken]
        ] = {}  # ours, on sessions that are gone or not heard yet
        self._places: dict[tuple[str, str], list[str]] = {}  # sessions that take work, by region and pool
        self._candidates: dict[str, Candidate] = {}  # as far as they are still right

    def hear(self, heartbeat: Heartbeat, now: float) -> None:
        self.changes += 1
        if heartbeat.replaces:
            self.forget(heartbeat.replaces)
        session = self._sessions.get(heartbeat.session)
        if session is None:
            session = self._sessions[heartbeat.session] = Session(heartbeat, now)
            for key, taken in self._absent.pop(heartbeat.session, {}).items():
                session.reserve(key, taken)
        before = session.heartbeat
        session.heartbeat = heartbeat
        session.held = frozenset(heartbeat.held)
        session.heard_at = now
        # The next one may have been on its way when what it shows had just ended.
        session.ended = session.ended & session.held | session.just_ended
        session.just_ended = set()
        self._take_others(session)
        if _offered(before) != _offered(heartbeat):
            self._changed(session)
        self._place(heartbeat.session, session)

    def forget(self, session: str) -> None:
        self.changes += 1  # what others had there counts no more
        gone = self._sessions.pop(session, None)
        self._candidates.pop(session, None)
        if gone is not None:
            self._place(session, gone, is_here=False)
            if gone.reserved:
                self._absent[session] = gone.reserved
            self._count(gone.others.values(), -1)

    def note_end(self, session: str, seconds: float) -> None:
        """An attempt of that session has taken so long."""
        here = self._sessions.get(session)
        if here is None:
            return
        before = here.lead
        here.pace += (min(seconds, 60.0) - here.pace) / 8
        if here.lead != before:
            self.changes += 1
            self._changed(here)

    def hear_all(self, at: float) -> None:
        """Nobody counts as silent for what was before."""
        for session in self._sessions.values():
            session.heard_at = at

    def silent(self, before: float) -> list[str]:
        """Sessions last heard of before that time."""
        return [name for name, session in self._sessions.items() if session.heard_at < before]

    @property
    def sessions(self) -> list[Session]:
        return list(self._sessions.values())

    def held(self) -> set[AttemptKey]:
        """Every attempt that some session holds, be it only to report its end for the one before it."""
        return {key for session in self._sessions.values() for key in session.heartbeat.held}

    def closed(self, region: str, pool: str) -> list[str]:
        """Who is there and takes no work, with the reason: one clause each, by name."""
        found = [one for one in self._sessions.values() if one.place == (region, pool) and not one.is_open]
        return sorted(
            f"{one.heartbeat.name} {one.heartbeat.closed or 'is draining'}"
            for one in found
            if not one.heartbeat.leaving
        )

    def is_here(self, session: str) -> bool:
        return session in self._sessions

    def reserve(self, session: str, key: AttemptKey, taken: Taken = Taken()) -> None:  # noqa: B008  # frozen
        """The attempt is ours, and active on that session, whether or not that is here."""
        here = self._sessions.get(session)
        reserved = self._absent.setdefault(session, {}) if here is None else here.reserved
        if key in reserved:
            return
        self._count([taken], 1)
        if here is None:
            reserved[key] = taken
            return
        here.reserve(key, taken)
        here.ended.discard(key)
        here.just_ended.discard(key)
        if key in here.others:
            self._take_others(here)
        self._changed(here)

    def release(self, session: str, key: AttemptKey, *, is_over: bool = True) -> None:
        """The attempt has ended: its room is free, also before the next heartbeat says so.

        When it is not over but somebody else's from now on, it counts as long as heartbeats show it.
        """
        self.changes += 1
        here = self._sessions.get(session)
        absent = self._absent.get(session, {})
        taken = absent.pop(key, None) if here is None else here.release(key)
        if taken is not None:
            self._count([taken], -1)
        if here is None:
            if not absent:
                self._absent.pop(session, None)
            return
        if is_over:
            here.ended.add(key)
            here.just_ended.add(key)
        if not is_over or key in here.others:
            self._take_others(here)
        self._changed(here)

    def candidates(self, region: str, pool: str) -> list[Candidate]:
        """The sessions of a pool that take work, by name."""
        known = self._candidates
        return [known.get(name) or self._candidate(name) for name in self._places.get((region, pool), ())]

    def __len__(self) -> int:
        return len(self._sessions)

    def choose(self, *, region: str, pool: str) -> str | None:
        """The session with the most free slots, whatever the attempt needs."""
        free = [one for one in self.candidates(region, pool or DEFAULT_POOL) if one.free.slots > 0]
        return min(free, key=lambda one: (-one.free.slots, one.session)).session if free else None

    def _candidate(self, name: str) -> Candidate:
        session = self._sessions[name]
        region, pool = session.place
        beat = session.heartbeat
        backends = beat.backends or (PROCESS,)
        found = Candidate(
            name, region, pool, session.total, session.free, beat.flavors, backends, session.lead
        )
        self._candidates[name] = found
        return found

    def _place(self, name: str, session: Session, *, is_here: bool = True) -> None:
        names = self._places.setdefault(session.place, [])
        is_wanted = is_here and session.is_open
        if is_wanted and name not in names:
            insort(names, name)
        elif not is_wanted and name in names:
            names.remove(name)

    def _changed(self, session: Session) -> None:
        self._candidates.pop(session.heartbeat.session, None)

    def _take_others(self, session: Session) -> None:
        """What the heartbeat shows and we neither gave out nor heard the end of is somebody else's."""
        others = {
            key: self._taken(session, key, claim)
            for key, claim in _claims(session.heartbeat)
            if key not in session.reserved and key not in session.ended
        }
        if others == session.others:
            return
        self._count(session.others.values(), -1)
        self._count(others.values(), 1)
        session.others = others
        self._changed(session)

    def _taken(self, session: Session, key: AttemptKey, claim: Claim | None) -> Taken:
        if claim is None:
            return Taken()  # the executor does not say: a slot, and the usual processor
        if not claim.workspace:
            return Taken(NOTHING)
        known = session.others.get(key)
        if known is not None and known.names:
            return known
        region, pool = session.place
        names = counted(key.run_id, claim.workspace, claim.workflow, region, pool, key.step)
        return Taken(size_of(claim.resources, self._flavors, claim.ranks) or Size(), names)

    def _count(self, taken: Iterable[Taken], by: int) -> None:
        for one in taken:
            for name in one.names:
                count = self.usage.get(name, 0) + by
                if count:
                    self.usage[name] = count
                else:
                    del self.usage[name]


def _offered(heartbeat: Heartbeat) -> tuple[object, ...]:
    """What a candidate is made of."""
    return (
        heartbeat.slots,
        heartbeat.cpu,
        heartbeat.memory_bytes,
        heartbeat.gpu,
        heartbeat.flavors,
        heartbeat.backends,
    )


def _claims(heartbeat: Heartbeat) -> Iterable[tuple[AttemptKey, Claim | None]]:
    return zip_longest(heartbeat.held, heartbeat.claims[: len(heartbeat.held)])
