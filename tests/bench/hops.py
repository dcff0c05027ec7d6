"""The time of a step split by hop, from the events of its run alone. Pure.

A fact is stamped when its writer decides it, before the commit; a step of the bench gives as its output the
times of its own first and last line. So between these stamps lie:

    queue                 what it needed had ended -> StepScheduled
    commit_deliver_start  StepScheduled -> its first line: commit, order over NATS, process handed over
    user                  first line -> last line
    report                last line -> AttemptSucceeded: output stored, report over NATS, decision

Where within the second the commit ends and the delivery begins no event says, and none is written to say so;
the floors (one row committed, NATS request and reply) stand beside it. `executor` overlaps with these: it is
what the executor measured of the attempt (`seconds` of AttemptSucceeded), from taking a process to its end.

A step that its executor began ahead of the ledger (docs/adr/0013) is scheduled after its first line, by the
report of the step before it: it has no hops of its own, and `ahead` says how many of a chain are such.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

from tests.bench.ledger import Fact

HOPS = ("queue", "commit_deliver_start", "user", "report", "executor")


def per_step_ms(facts: Sequence[Fact]) -> list[float]:
    """Of a chain whose steps give [first line, last line]: from each first line to the next one."""
    times = sorted(_lines(fact)[0] for fact in facts if fact.type == "AttemptSucceeded")
    return [(later - earlier) * 1000 for earlier, later in pairwise(times)]


def run_ms(facts: Sequence[Fact]) -> float:
    """From RunCreated to the end."""
    return (facts[-1].time - facts[0].time) * 1000


def ahead(facts: Sequence[Fact]) -> int:
    """Steps of a chain that were begun before the ledger knew of them."""
    scheduled = {fact.data["step"]: fact.time for fact in facts if fact.type == "StepScheduled"}
    ended = [fact for fact in facts if fact.type == "AttemptSucceeded"]
    return sum(_lines(fact)[0] < scheduled[fact.data["step"]] for fact in ended)


def hops_ms(facts: Sequence[Fact]) -> dict[str, list[float]]:
    """Of a chain whose steps give [first line, last line]: each hop of each step that was not begun ahead."""
    found: dict[str, list[float]] = {name: [] for name in HOPS}
    ready = facts[0].time
    queued = 0.0
    scheduled: dict[str, float] = {}
    for fact in facts:
        if fact.type == "StepScheduled":
            scheduled[fact.data["step"]] = fact.time
            queued = fact.time - ready
        elif fact.type == "AttemptSucceeded":
            began, ended = _lines(fact)
            ready = fact.time
            if began < scheduled[fact.data["step"]]:
                continue
            found["queue"].append(queued * 1000)
            found["commit_deliver_start"].append((began - scheduled[fact.data["step"]]) * 1000)
            found["user"].append((ended - began) * 1000)
            found["report"].append((fact.time - ended) * 1000)
            found["executor"].append(float(fact.data.get("seconds", 0.0)) * 1000)
    return found


def _lines(fact: Fact) -> tuple[float, float]:
    """Of an AttemptSucceeded: when its step's first and last line ran."""
    began, ended = fact.data["outputs"]["output"]["value"]
    return began, ended


def medians(hops: dict[str, list[float]]) -> dict[str, float]:
    return {name: round(statistics.median(samples), 4) for name, samples in hops.items() if samples}
