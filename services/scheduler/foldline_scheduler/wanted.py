"""Attempts that wait for an executor, in the order in which they get one. Pure: no clock, no I/O.

Thousands of attempts may wait, and few kinds of them. Those of one workspace with one priority that need the
same are a lane: there is room for all of them or for none. Those of a lane that are under the same limits are
a group: all may go or none. So deciding costs by the number of lanes and of what is handed out, not by how
many wait.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct

from foldline.domain.work import AttemptKey
from foldline_scheduler.limits import share
from foldline_scheduler.sizes import USUAL, Size

Place = tuple[str, str]
"""Region and pool."""


Age = tuple[datetime, str, int, int]
"""Ready since, run, place in its graph, attempt: longest ready first, and the rest makes it the same order
always.
"""


class Demand(Struct, frozen=True, kw_only=True):
    """What a kind of attempts asks for. Equal demands are interchangeable but for their age."""

    region: str
    pool: str
    workspace: str
    priority: int = 0
    size: Size = Size()
    flavor: str = ""
    image: bool = False  # it is a container image, for executors that run such
    bounds: tuple[tuple[str, int], ...] = ()  # limits that it is under: what is counted, and how many may be

    is_unsafe: bool = False  # running it again might do harm

    @property
    def may_wait(self) -> bool:
        """May it wait at an executor instead of here? Not where losing that one would be dear."""
        return self.size == USUAL and not self.image and not self.is_unsafe

    @property
    def place(self) -> Place:
        return (self.region, self.pool)

    @property
    def share(self) -> str:
        """What its workspace's attempts at the place are counted under."""
        return share(self.region, self.pool, self.workspace)

    @property
    def lane(self) -> Hashable:
        return (self.priority, self.workspace, self.size, self.flavor, self.image, self.is_unsafe)


class Wanted(Struct, frozen=True, eq=False):
    """An attempt that waits; it is itself and equal to no other."""

    key: AttemptKey
    demand: Demand
    age: Age
    names: tuple[str, ...]  # under which it is counted once it is active


class Group:
    """Attempts of one demand, longest ready first."""

    def __init__(self, demand: Demand) -> None:
        self.demand = demand
        self.is_aside = False  # its limit is reached
        self.entered: Age | None = None  # with which age of its head it stands in its lane
        self._heap: list[tuple[Age, int, Wanted]] = []
        self._alive: dict[Wanted, int] = {}  # and the number of its entry in the heap
        self._number = 0

    def __len__(self) -> int:
        return len(self._alive)

    def __iter__(self) -> Iterator[Wanted]:
        return iter(self._alive)

    def __contains__(self, wanted: object) -> bool:
        return wanted in self._alive

    def add(self, wanted: Wanted) -> None:
        self._number += 1
        self._alive[wanted] = self._number
        heapq.heappush(self._heap, (wanted.age, self._number, wanted))

    def remove(self, wanted: Wanted) -> None:
        """Its entry in the heap goes when it comes to the top."""
        self._alive.pop(wanted, None)

    def head(self) -> Wanted | None:
        heap = self._heap
        while heap and self._alive.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)
        return heap[0][2] if heap else None


class Lane:
    """Groups that differ by their limits alone: when there is no room for one of them, there is for none."""

    def __init__(self, demand: Demand) -> None:
        self.priority = demand.priority
        self.workspace = demand.workspace
        self.share = demand.share
        self.groups = 0
        self._heap: list[tuple[Age, int, Group]] = []
        self._number = 0

    def enter(self, group: Group) -> None:
        """Have the group stand where its head belongs."""
        head = group.head()
        if head is None or group.is_aside or group.entered == head.age:
            return
        group.entered = head.age
        self._number += 1
        heapq.heappush(self._heap, (head.age, self._number, group))

    def head(self) -> Wanted | None:
        """The longest ready of all whose limits are not reached, as far as is known."""
        heap = self._heap
        while heap:
            age, _, group = heap[0]
            head = group.head()
            if head is not None and head.age == age == group.entered and not group.is_aside:
                return head
            heapq.heappop(heap)
            if group.entered == age:
                group.entered = None
                self.enter(group)
        return None


class Line:
    """All that waits at one place. Groups whose limit is reached stand aside until it is not any more."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.groups: dict[Demand, Group] = {}
        self._lanes: dict[Hashable, Lane] = {}
        self._aside: dict[tuple[str, int], dict[Demand, None]] = {}  # by what is counted, and the limit

    def __iter__(self) -> Iterator[Wanted]:
        for group in self.groups.values():
            yield from group

    def add(self, wanted: Wanted) -> None:
        demand = wanted.demand
        lane = self._lanes.get(demand.lane)
        if lane is None:
            lane = self._lanes[demand.lane] = Lane(demand)
        group = self.groups.get(demand)
        if group is None:
            group = self.groups[demand] = Group(demand)
            lane.groups += 1
        group.add(wanted)
        lane.enter(group)

    def remove(self, wanted: Wanted) -> None:
        demand = wanted.demand
        group = self.groups.get(demand)
        if group is None:
            return
        group.remove(wanted)
        if not len(group):
            del self.groups[demand]
            lane = self._lanes[demand.lane]
            lane.groups -= 1
            if not lane.groups:
                del self._lanes[demand.lane]

    def stand_aside(self, demand: Demand, limit: tuple[str, int]) -> None:
        """Until fewer are counted than the limit says."""
        self.groups[demand].is_aside = True
        self._aside.setdefault(limit, {})[demand] = None

    def lanes(self, count: Callable[[str], int]) -> list[Lane]:
        """All of them; groups whose limit has room again are back in theirs."""
        for limit in [limit for limit in self._aside if count(limit[0]) < limit[1]]:
            for demand in self._aside.pop(limit):
                if (group := self.groups.get(demand)) is not None:
                    group.is_aside = False
                    self._lanes[demand.lane].enter(group)
        return list(self._lanes.values())


Order = tuple[int, float, Age]


class Turns:
    """Whose turn it is: higher priority, then the workspace that has the smallest part of its share of the
    place, then longest ready.

    Lanes of several places may be among them. Counts may only grow while turns are taken.
    """

    def __init__(
        self, lanes: Iterable[Lane], count: Callable[[str], int], weights: Mapping[str, float]
    ) -> None:
        self._count = count
        self._weights = weights
        self._heap: list[tuple[Order, int, Lane]] = []
        for number, lane in enumerate(lanes):
            if (head := lane.head()) is not None:
                self._heap.append((self._order(lane, head), number, lane))
        heapq.heapify(self._heap)

    def first(self) -> Wanted | None:
        """The attempt whose turn it is; None when nobody is left."""
        heap = self._heap
        while heap:
            order, number, lane = heap[0]
            head = lane.head()
            if head is None:
                heapq.heappop(heap)
            elif (now := self._order(lane, head)) == order:
                return head
            else:  # its workspace has got something meanwhile, or its head has gone: it moves back
                heapq.heapreplace(heap, (now, number, lane))
        return None

    def pass_over(self) -> None:
        """The lane of the first gets nothing this time."""
        heapq.heappop(self._heap)

    def _order(self, lane: Lane, head: Wanted) -> Order:
        part = self._count(lane.share) / self._weights.get(lane.workspace, 1.0)
        return (-lane.priority, part, head.age)
