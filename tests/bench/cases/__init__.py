"""The cases by name. Each is measured alone; what it needs to run before, it runs itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from tests.bench.bench import Bench
from tests.bench.cases import lifecycle, resources, rules, runs
from tests.bench.results import Isolation, Result

Measure = Callable[[Bench, Isolation], Awaitable[list[Result]]]


class Case(msgspec.Struct, frozen=True):
    """`depends` tells whether it is measured for each kind of isolation, or once."""

    measure: Measure
    depends: bool
    says: str


CASES: dict[str, Case] = {
    "chain": Case(runs.chain, True, "100 steps, one after the other"),
    "fan": Case(runs.fan, True, "500 steps side by side, and a join"),
    "many": Case(runs.many, True, "200 runs of 5 steps, submitted at once"),
    "start": Case(runs.start, True, "submit of a run to the first line of its step"),
    "map": Case(runs.map_, True, "a step for each item of a list"),
    "cold": Case(lifecycle.cold, False, "empty data folder, and restart, to the first run's end"),
    "idle": Case(resources.idle, False, "processor time of the whole stack while nothing happens"),
    "memory": Case(resources.memory, False, "memory of the whole stack after its work"),
    "disk": Case(resources.disk, False, "bytes of Postgres and of its log for each step"),
    "replay": Case(rules.replay, False, "events folded"),
    "plan": Case(rules.plan, False, "plan of the fork of a run of 10,000 steps"),
}
