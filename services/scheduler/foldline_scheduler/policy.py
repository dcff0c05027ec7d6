"""Who runs what next, and why the others do not. Pure: no clock, no I/O, so that every choice can be
explained.

`hand_out` decides for one place (a pool of a region) as long as there is room; `explain` gives the reason of
each one that is left. `assign` is both for everything at once, over values alone; the queue calls the two as
things change.

The rules. Priority first; then the workspace that has the fewest active attempts of the place by its weight;
then longest ready. An attempt whose limit is reached or that no executor has room for at this moment is
passed over: others may go meanwhile. But for the first that is passed over for want of room one executor is
kept free of others from then on, the one that lacks least; otherwise small attempts would keep a large one
waiting for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from foldline_scheduler import reasons
from foldline_scheduler.limits import share
from foldline_scheduler.reasons import Reason
from foldline_scheduler.sizes import Size, shown_bytes
from foldline_scheduler.wanted import Demand, Line, Turns, Wanted

DEFAULT_POOL = "default"


class Candidate(Struct, frozen=True):
    """An executor session as the choice sees it."""

    session: str
    region: str
    pool: str
    total: Size
    free: Size
    flavors: tuple[str, ...] = ()  # that it takes; empty for all

    def takes(self, flavor: str) -> bool:
        return not flavor or not self.flavors or flavor in self.flavors


Usage = Mapping[str, int]
"""Active attempts by what they are counted under (`limits.counted`)."""


class Assignment(Struct, frozen=True):
    wanted: Wanted
    session: str


class Decision(Struct, frozen=True):
    """Every attempt is either assigned or has a reason."""

    assignments: tuple[Assignment, ...]
    reasons: dict[Wanted, Reason]


def assign(
    wanted: Iterable[Wanted], candidates: Iterable[Candidate], usage: Usage, weights: Mapping[str, float]
) -> Decision:
    """Decide on everything that is wanted."""
    counts = dict(usage)
    lines: dict[tuple[str, str], Line] = {}
    for one in wanted:
        lines.setdefault(one.demand.place, Line(one.demand.place)).add(one)
    all_candidates = list(candidates)
    assignments: list[Assignment] = []
    why: dict[Wanted, Reason] = {}
    for place, line in sorted(lines.items()):
        here = [one for one in all_candidates if (one.region, one.pool) == place]
        found = hand_out(line, here, counts, weights)
        assignments += found
        for assignment in found:
            for name in assignment.wanted.names:
                counts[name] = counts.get(name, 0) + 1
        why |= explain(line.groups, _after(here, found), counts, weights, line)
    return Decision(tuple(assignments), why)


def hand_out(
    line: Line, candidates: Sequence[Candidate], usage: Usage, weights: Mapping[str, float]
) -> list[Assignment]:
    """Take out of `line` what can go now, in order."""
    turn = _Round(line, candidates, usage, weights)
    # What is handed out makes workspaces change their places, so look again whether one that was passed over
    # because of another is first now.
    while turn.hand_out() and turn.kept:
        pass
    return turn.assignments


class _Round:
    """Handing out, in the making."""

    def __init__(
        self, line: Line, candidates: Sequence[Candidate], usage: Usage, weights: Mapping[str, float]
    ) -> None:
        self.assignments: list[Assignment] = []
        self.kept = ""
        """The session that is kept free for the first that was passed over for want of room."""
        self._line = line
        self._candidates = candidates
        self._weights = weights
        self._tally = _Tally(usage)
        self._rooms = {one.session: one.free for one in candidates}

    def hand_out(self) -> bool:
        """As far as it goes in the order of now; was anything?"""
        self.kept = ""
        before = len(self.assignments)
        slots = sum(max(0, room.slots) for room in self._rooms.values())
        if not slots or not self._line.groups:
            return False
        count = self._tally.count
        turns = Turns(self._line.lanes(count), self._active, self._weights)
        while slots > 0 and (first := turns.first()) is not None:
            demand = first.demand
            if (reached := _reached(demand, count)) is not None:
                self._line.stand_aside(demand, reached)
                continue
            session = _choose(demand, self._candidates, self._rooms, self.kept)
            if session is None:
                self.kept = self.kept or _to_keep(demand, self._candidates, self._rooms)
                turns.pass_over()
                continue
            self._give(first, session)
            slots -= demand.size.slots
        return len(self.assignments) > before

    def _give(self, wanted: Wanted, session: str) -> None:
        self._line.remove(wanted)
        self.assignments.append(Assignment(wanted, session))
        self._tally.add(wanted.names)
        self._rooms[session] = self._rooms[session].minus(wanted.demand.size)

    def _active(self, workspace: str) -> int:
        return self._tally.count(share(*self._line.place, workspace))


def explain(
    waiting: Mapping[Demand, Collection[Wanted]],
    candidates: Sequence[Candidate],
    usage: Usage,
    weights: Mapping[str, float],
    asked: Iterable[Wanted],
) -> dict[Wanted, Reason]:
    """Why each of `asked` waits, after everything was handed out; `waiting` are all who wait there."""
    obstacles = {demand: obstacle(demand, candidates, usage) for demand in waiting}
    found: dict[Wanted, Reason] = {}
    left: set[Wanted] = set()
    for one in asked:
        reason = obstacles[one.demand]
        if reason is None:
            left.add(one)
        else:
            found[one] = reason
    if left:
        eligible = [group for demand, group in waiting.items() if obstacles[demand] is None]
        for before, one in enumerate(_in_order(eligible, usage, weights)):
            if one in left:
                found[one] = _turn(one.demand, before) if before else _first(one.demand, candidates)
    return found


def obstacle(demand: Demand, candidates: Sequence[Candidate], usage: Usage) -> Reason | None:
    """What is in the way of all attempts with this demand, whoever else waits; None when nothing is."""
    where = f"pool {demand.pool} of region {demand.region}"
    if not candidates:
        return Reason(reasons.NO_EXECUTOR, f"no executor in {where}")
    takers = [one for one in candidates if one.takes(demand.flavor)]
    if not takers:
        return Reason(reasons.NO_EXECUTOR, f"no executor in {where} takes flavor {demand.flavor}")
    if not any(demand.size.fits(one.total) for one in takers):
        return Reason(reasons.TOO_LARGE, _too_large(demand.size, takers, where))
    if (reached := _reached(demand, _Tally(usage).count)) is not None:
        name, maximum = reached
        return Reason(reasons.LIMIT, f"{name} has {usage.get(name, 0)} of {maximum} attempts active")
    return None


class _Tally:
    """Counts on top of those that were there before."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._more: dict[str, int] = {}

    def count(self, name: str) -> int:
        return self._usage.get(name, 0) + self._more.get(name, 0)

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            self._more[name] = self._more.get(name, 0) + 1


def _reached(demand: Demand, count: Callable[[str], int]) -> tuple[str, int] | None:
    for name, maximum in demand.bounds:
        if count(name) >= maximum:
            return name, maximum
    return None


def _choose(
    demand: Demand, candidates: Sequence[Candidate], rooms: Mapping[str, Size], kept: str
) -> str | None:
    """The session that gets the attempt: of those that fit, the one that wastes fewest graphics processors,
    then the one with the most free slots. Ties go to the smallest session id, so that equal situations give
    equal choices.
    """
    best: tuple[int, int, str] | None = None
    size, flavor = demand.size, demand.flavor
    for one in candidates:
        room = rooms[one.session]
        if size.fits(room) and one.session != kept and one.takes(flavor):
            merit = (room.gpu, -room.slots, one.session)
            if best is None or merit < best:
                best = merit
    return best[2] if best else None


def _to_keep(demand: Demand, candidates: Sequence[Candidate], rooms: Mapping[str, Size]) -> str:
    """The session that lacks least of those that could take the attempt once they are idle; empty for
    none.
    """

    def lack(one: Candidate) -> tuple[int, int, int, int, str]:
        room, size = rooms[one.session], demand.size
        return (
            max(0, size.gpu - room.gpu),
            max(0, size.memory_bytes - room.memory_bytes),
            max(0, size.millicpus - room.millicpus),
            max(0, size.slots - room.slots),
            one.session,
        )

    able = [one for one in candidates if demand.size.fits(one.total) and one.takes(demand.flavor)]
    return min(able, key=lack).session if able else ""


def _in_order(
    groups: Iterable[Collection[Wanted]], usage: Usage, weights: Mapping[str, float]
) -> Iterator[Wanted]:
    """The attempts of these groups in the order in which `Turns` would take them, if each could go.

    The n-th of a workspace comes when that has n attempts more than now; so all can be sorted at once.
    """
    waiting: dict[int, dict[str, list[Wanted]]] = {}
    for group in groups:
        demand = next(iter(group)).demand
        waiting.setdefault(demand.priority, {}).setdefault(share_of(demand), []).extend(group)
    active: dict[str, int] = {}
    for _, of_priority in sorted(waiting.items(), reverse=True):
        turns = []
        for counted, found in of_priority.items():
            first = active.get(counted, usage.get(counted, 0))
            weight = weights.get(found[0].demand.workspace, 1.0)
            by_age = sorted((one.age, n, one) for n, one in enumerate(found))
            turns += [((first + n) / weight, age, n, one) for n, (age, _, one) in enumerate(by_age)]
            active[counted] = first + len(found)
        yield from (one for *_, one in sorted(turns))


def share_of(demand: Demand) -> str:
    return share(demand.region, demand.pool, demand.workspace)


def _turn(demand: Demand, before: int) -> Reason:
    attempts = "1 attempt is" if before == 1 else f"{before} attempts are"
    message = (
        f"{attempts} before it in pool {demand.pool} of region {demand.region}: of higher priority, of a "
        "workspace that has less of its share, or longer ready"
    )
    return Reason(reasons.TURN, message)


def _first(demand: Demand, candidates: Sequence[Candidate]) -> Reason:
    where = f"pool {demand.pool} of region {demand.region}"
    slots = sum(one.total.slots for one in candidates)
    if not any(one.free.slots > 0 for one in candidates):
        all_slots = "the only slot" if slots == 1 else f"all {slots} slots"
        taken = "is" if slots == 1 else "are"
        return Reason(reasons.NO_ROOM, f"it is next, and {all_slots} of {where} {taken} taken")
    if _choose(demand, candidates, {one.session: one.free for one in candidates}, "") is not None:
        return Reason(reasons.STARTING, f"an executor in {where} has room for it")
    message = f"it is next and needs {demand.size}, which no executor in {where} has free at this moment"
    return Reason(reasons.NO_ROOM, message)


def _too_large(size: Size, candidates: Sequence[Candidate], where: str) -> str:
    """Names what no executor has; where each thing is had by some, but never all by one, everything."""
    most_cpu = max(one.total.millicpus for one in candidates)
    most_memory = max(one.total.memory_bytes for one in candidates)
    most_gpu = max(one.total.gpu for one in candidates)
    if size.gpu > most_gpu:
        return f"needs {size.gpu} gpu, the largest executor in {where} has {most_gpu}"
    if size.memory_bytes > most_memory:
        needed, most = shown_bytes(size.memory_bytes), shown_bytes(most_memory)
        return f"needs {needed} of memory, the largest executor in {where} has {most}"
    if size.millicpus > most_cpu:
        return f"needs {size.millicpus / 1000:g} cpu, the largest executor in {where} has {most_cpu / 1000:g}"
    return f"needs {size}, which no single executor in {where} has"


def _after(candidates: Sequence[Candidate], assignments: Iterable[Assignment]) -> list[Candidate]:
    rooms = {one.session: one.free for one in candidates}
    for one in assignments:
        rooms[one.session] = rooms[one.session].minus(one.wanted.demand.size)
    return [
        Candidate(one.session, one.region, one.pool, one.total, rooms[one.session], one.flavors)
        for one in candidates
    ]
