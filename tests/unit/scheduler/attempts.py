"""Short values for tests of the queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from foldline.domain.spec import Resources
from foldline.domain.work import AttemptKey, Heartbeat
from foldline_scheduler.limits import counted
from foldline_scheduler.offers import Offer, Ready
from foldline_scheduler.policy import Candidate
from foldline_scheduler.sizes import Size
from foldline_scheduler.wanted import Demand, Wanted

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
GIB = 1 << 30


def size(cpu: float = 1.0, memory: int = 0, gpu: int = 0, slots: int = 1) -> Size:
    return Size(slots=slots, millicpus=round(cpu * 1000), memory_bytes=memory, gpu=gpu)


def room(slots: int = 1, cpu: float = 64.0, memory: int = 64 * GIB, gpu: int = 0) -> Size:
    return size(cpu, memory, gpu, slots)


def candidate(
    session: str,
    free: Size,
    total: Size | None = None,
    *,
    region: str = "local",
    pool: str = "default",
    flavors: tuple[str, ...] = (),
    backends: tuple[str, ...] = ("process",),
    lead: int = 0,
) -> Candidate:
    return Candidate(session, region, pool, total or free, free, flavors, backends, lead)


def wanted(
    run_id: str = "r", *, age: int = 0, workflow: str = "f", step: str = "s", place: int = 0, **demand: Any
) -> Wanted:
    """An attempt; the higher its `age`, the longer it has been ready."""
    fields = {"region": "local", "pool": "default", "workspace": "w", **demand}
    asked = Demand(**fields)
    key = AttemptKey(run_id=run_id, step=step, attempt=1)
    names = counted(run_id, asked.workspace, workflow, asked.region, asked.pool, step)
    return Wanted(key, asked, (NOON - timedelta(seconds=age), run_id, place, 1), names)


def beat(**changes: Any) -> Heartbeat:
    fields = {"session": "s1", "name": "n", "region": "local", "pool": "default", "slots": 2}
    return Heartbeat(**{**fields, **changes})


def ready(step: str = "s", *, age: int = 0, place: int = 0, attempt: int = 1, **changes: Any) -> Ready:
    max_active, ranks = changes.pop("max_active", 0), changes.pop("ranks", 0)
    return Ready(step, attempt, NOON - timedelta(seconds=age), place, Resources(**changes), max_active, ranks)


def offer(run_id: str = "r", *steps: Ready | str, **changes: Any) -> Offer:
    fields = {"workspace": "w", "workflow": "f", "region": "local", **changes}
    found = tuple(ready(one, place=place) if isinstance(one, str) else one for place, one in enumerate(steps))
    return Offer(run_id=run_id, steps=found, **fields)
