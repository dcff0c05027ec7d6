"""What a measurement is, and the JSON line that is made of it. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

Isolation = Literal["shared", "fresh"]
ISOLATIONS: tuple[Isolation, ...] = ("shared", "fresh")

RESERVED = ("case", "isolation", "floors_ms", "floor", "ratio_to_floor", "conditions")


class Against(msgspec.Struct, frozen=True):
    """A time and the floors it cannot do without: their sum is what the machine itself takes for it."""

    ms: float
    floors: tuple[str, ...]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `measures` by unit, the one that counts first; `facts` say what was measured."""

    case: str
    isolation: Isolation
    measures: Mapping[str, Sequence[float]]
    facts: Mapping[str, Any] = {}
    against: Against | None = None


def summary(samples: Sequence[float]) -> dict[str, float]:
    numbers = {"median": statistics.median(samples), "min": min(samples), "max": max(samples)}
    return {**{name: round(value, 4) for name, value in numbers.items()}, "n": len(samples)}


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that `share` of all samples do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 1).__int__() - 1))]


def line(result: Result, floors: Mapping[str, float], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a result, with the floors (medians, in ms) measured in the same sitting."""
    measured = {unit: summary(samples) for unit, samples in result.measures.items()}
    return {
        "case": result.case,
        "isolation": result.isolation,
        **measured,
        **result.facts,
        **_ratio(result.against, floors),
        "floors_ms": dict(floors),
        "conditions": dict(conditions),
    }


def _ratio(against: Against | None, floors: Mapping[str, float]) -> dict[str, Any]:
    if against is None or any(name not in floors for name in against.floors):
        return {}
    floor = sum(floors[name] for name in against.floors)
    return {
        "floor": {"names": list(against.floors), "ms": round(floor, 4)},
        "ratio_to_floor": round(against.ms / floor, 2),
    }
