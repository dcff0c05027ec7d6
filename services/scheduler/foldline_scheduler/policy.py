"""Who runs what next, and why the others do not. Pure: no clock, no I/O, so that every choice can be
explained.

`hand_out` decides as long as there is room; `explain` gives the reason of
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

from msgspec import Struct, structs

from foldline_scheduler import reasons
from foldline_scheduler.reasons import Reason
from foldline_scheduler.sizes import Size, shown_bytes
from foldline_scheduler.wanted import Demand, Lane, Line, Place, Turns, Wanted

DEFAULT_POOL = "default"

PROCESS = "process"
"""The backend of an executor that names none."""
CONTAINER = "container"
"""The backend that runs images."""


class Candidate(Struct, frozen=True):
    """An executor session as the choice sees it."""

    session: str
    region: str
    pool: str
    total: Size
    free: Size
    flavors: tuple[str, ...] = ()  # that it takes; empty for all
    backends: tuple[str, ...] = (PROCESS,)  # how it runs attempts
    lead: int = 0  # attempts of the usual size that it takes beyond its room

    def takes(self, demand: Demand) -> bool:
        """Whatever room it has."""
        return self.takes_flavor(demand.flavor) and (not demand.image or CONTAINER in self.backends)

    def takes_flavor(self, flavor: str) -> bool:
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
    lines: dict[Place, Line] = {}
    for one in wanted:
        lines.setdefault(one.demand.place, Line(one.demand.place)).add(one)
    by_name = sorted(candidates, key=lambda one: one.session)
    found = {place: [one for one in by_name if (one.region, one.pool) == place] for place in sorted(lines)}
    assignments = hand_out([(lines[place], here) for place, here in found.items()], usage, weights)
    counts = dict(usage)
    for assignment in assignments:
        for name in assignment.wanted.names:
            counts[name] = counts.get(name, 0) + 1
    why: dict[Wanted, Reason] = {}
    for place, here in found.items():
        line = lines[place]
        why |= explain(line.groups, _after(here, assignments), counts, weights, line)
    return Decision(tuple(assignments), why)


def hand_out(
    lines: Iterable[tuple[Line, Sequence[Candidate]]], usage: Usage, weights: Mapping[str, float]
) -> list[Assignment]:
    """Take out of the lines what can go now, in order; all of them together, since they may share limits."""
    turn = _Round([_Site(*one) for one in lines], usage, weights)
    # What is handed out makes workspaces change their places, so look again whether one that was passed over
    # because of another is first now.
    while turn.hand_out() and turn.is_any_kept:
        pass
    return turn.assignments


class _Site:
    """A place during a round."""

    def __init__(self, line: Line, candidates: Sequence[Candidate]) -> None:
        self.line = line
        self.candidates = candidates
        self.rooms = {one.session: one.free for one in candidates}
        self.slots = sum(max(0, one.free.slots + one.lead) for one in candidates)
        self.kept = ""
        """The session that is kept free for the first that was passed over for want of room."""

    def choose(self, demand: Demand) -> str | None:
        """The session for it; where there is none, one is kept."""
        session = _choose(demand, self.candidates, self.rooms, self.kept)
        if session is None and not self.kept and demand.may_wait:
            session = _choose_ahead(demand, self.candidates, self.rooms)
        if session is None:
            self.kept = self.kept or _to_keep(demand, self.candidates, self.rooms)
            return None
        self.rooms[session] = self.rooms[session].minus(demand.size)
        self.slots -= demand.size.slots
        return session


class _Round:
    """Handing out, in the making."""

    def __init__(self, sites: Iterable[_Site], usage: Usage, weights: Mapping[str, float]) -> None:
        self.assignments: list[Assignment] = []
        self._sites = {site.line.place: site for site in sites if site.slots and site.line.groups}
        self._weights = weights
        self._tally = _Tally(usage)

    @property
    def is_any_kept(self) -> bool:
        return any(site.kept for site in self._sites.values())

    def hand_out(self) -> bool:
        """As far as it goes in the order of now; was anything?"""
        before = len(self.assignments)
        count = self._tally.count
        lanes: list[Lane] = []
        for site in self._sites.values():
            site.kept = ""
            lanes += site.line.lanes(count)
        turns = Turns(lanes, count, self._weights)
        while (first := turns.first()) is not None:
            demand = first.demand
            site = self._sites[demand.place]
            if site.slots <= 0:
                turns.pass_over()
            elif (reached := _reached(demand, count)) is not None:
                site.line.stand_aside(demand, reached)
            elif (session := site.choose(demand)) is None:
                turns.pass_over()
            else:
                site.line.remove(first)
                self._tally.add(first.names)
                self.assignments.append(Assignment(first, session))
        return len(self.assignments) > before


def explain(
    waiting: Mapping[Demand, Collection[Wanted]],
    candidates: Sequence[Candidate],
    usage: Usage,
    weights: Mapping[str, float],
    asked: Iterable[Wanted],
    closed: Sequence[str] = (),
) -> dict[Wanted, Reason]:
    """Why each of `asked` waits, after everything was handed out; `waiting` are all who wait at the place.

    `closed` says why other executors of the place take no work.
    """
    obstacles = {demand: obstacle(demand, candidates, usage, closed) for demand in waiting}
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


def obstacle(
    demand: Demand, candidates: Sequence[Candidate], usage: Usage, closed: Sequence[str] = ()
) -> Reason | None:
    """What is in the way of all attempts with this demand, whoever else waits; None when nothing is."""
    where = f"pool {demand.pool} of region {demand.region}"
    if not candidates and closed:
        return Reason(reasons.NO_EXECUTOR, f"no executor in {where} takes work now: {'; '.join(closed)}")
    if not candidates:
        return Reason(reasons.NO_EXECUTOR, f"no executor in {where}")
    takers = [one for one in candidates if one.takes(demand)]
    if not takers:
        return Reason(reasons.NO_EXECUTOR, _no_taker(demand, candidates, where))
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
    size = demand.size
    for one in candidates:
        room = rooms[one.session]
        if size.fits(room) and one.session != kept and one.takes(demand):
            merit = (room.gpu, -room.slots, one.session)
            if best is None or merit < best:
                best = merit
    return best[2] if best else None


def _choose_ahead(demand: Demand, candidates: Sequence[Candidate], rooms: Mapping[str, Size]) -> str | None:
    """The session in whose line it waits for the shortest time, of those that take more than they have room
    for.
    """
    takers = [
        one
        for one in candidates
        if one.lead and rooms[one.session].slots + one.lead > 0 and one.takes(demand)
    ]
    return min(takers, key=lambda one: (-rooms[one.session].slots, one.session)).session if takers else None


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

    able = [one for one in candidates if demand.size.fits(one.total) and one.takes(demand)]
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
        waiting.setdefault(demand.priority, {}).setdefault(demand.share, []).extend(group)
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
    message = f"it is next and needs {demand.size}, which no executor in {where} has free now"
    return Reason(reasons.NO_ROOM, message)


def _no_taker(demand: Demand, candidates: Sequence[Candidate], where: str) -> str:
    with_flavor = [one for one in candidates if one.takes_flavor(demand.flavor)]
    if not with_flavor:
        return f"no executor in {where} takes flavor {demand.flavor}"
    of_flavor = f" that takes flavor {demand.flavor}" if demand.flavor else ""
    return f"no executor in {where}{of_flavor} runs images; start one with the backend {CONTAINER}"


def _too_large(size: Size, candidates: Sequence[Candidate], where: str) -> str:
    """Names what no executor has; where each thing is had by some, but never all by one, everything."""
    together = f" for its {size.ranks} ranks" if size.ranks > 1 else ""
    most_cpu = max(one.total.millicpus for one in candidates)
    most_memory = max(one.total.memory_bytes for one in candidates)
    most_gpu = max(one.total.gpu for one in candidates)
    if size.gpu > most_gpu:
        return f"needs {size.gpu} gpu{together}, the largest executor in {where} has {most_gpu}"
    if size.memory_bytes > most_memory:
        needed, most = shown_bytes(size.memory_bytes), shown_bytes(most_memory)
        return f"needs {needed} of memory{together}, the largest executor in {where} has {most}"
    if size.millicpus > most_cpu:
        needed = f"{size.millicpus / 1000:g} cpu{together}"
        return f"needs {needed}, the largest executor in {where} has {most_cpu / 1000:g}"
    return f"needs {size}, which no single executor in {where} has"


def _after(candidates: Sequence[Candidate], assignments: Iterable[Assignment]) -> list[Candidate]:
    rooms = {one.session: one.free for one in candidates}
    for one in assignments:
        if one.session in rooms:
            rooms[one.session] = rooms[one.session].minus(one.wanted.demand.size)
    return [structs.replace(one, free=rooms[one.session]) for one in candidates]
