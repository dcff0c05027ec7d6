"""What an operator sets for queues: limits of attempts at once, weights of workspaces, flavors. Pure.

Counted is under names such as "workflow vision/digits": the same text is the key of a count, the name of a
limit, and what a person reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import Struct

from foldline.chassis.amounts import ByteAmount
from foldline.domain import paths
from foldline_scheduler.sizes import Size


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attempts at once; what is not named has no limit. See docs/queues.md."""

    pools: dict[str, int] = {}  # "region/pool"
    workspaces: dict[str, int] = {}
    weights: dict[str, float] = {}  # of workspaces; 1 where nothing is said
    workflows: dict[str, int] = {}  # "workspace/workflow"
    steps: dict[str, int] = {}  # "workspace/workflow/step"; inside a body ".../outer step/step"

    @property
    def by_name(self) -> dict[str, int]:
        """All of them by what they count."""
        return {f"{kind} {name}": maximum for kind, group in _kinds(self) for name, maximum in group.items()}


class Flavor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named size as it is written in settings."""

    cpu: float = 1.0
    memory: ByteAmount = ByteAmount(0)
    gpu: int = 0


class BadSetting(ValueError):
    """Everything that is wrong with a setting."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def counted(run_id: str, workspace: str, workflow: str, region: str, pool: str, step: str) -> tuple[str, ...]:
    """Under which names an attempt counts. The last is its workspace's share of the pool, for fairness."""
    path = _path(run_id, step)
    names = [
        f"pool {region}/{pool}",
        f"workspace {workspace}",
        f"workflow {workspace}/{workflow}",
        f"step {workspace}/{workflow}/{path}",
    ]
    names += [f"map {outer}.{name}" for outer, name, _ in paths.around(run_id)]
    return (*names, share(region, pool, workspace))


def share(region: str, pool: str, workspace: str) -> str:
    return f"share {region}/{pool} {workspace}"


def _path(run_id: str, step: str) -> str:
    """The step's path through the bodies around it, without numbers of items.

    It follows from the run's id (`inner.child_id`), as does what the run is inside of, so both are known also
    of attempts that others scheduled.
    """
    _, *inside = run_id.split(".")
    return "/".join(part for part in [*inside, *step.split(".")] if not part.isdigit())


class LimitsText:
    """The setting FOLDLINE_LIMITS. Raises BadSetting with all its problems together."""

    def __init__(self, text: str) -> None:
        self.value = parse_limits(text)


class FlavorsText:
    """The setting FOLDLINE_FLAVORS. Raises BadSetting with all its problems together."""

    def __init__(self, text: str) -> None:
        self.value = parse_flavors(text)


def parse_limits(text: str) -> Limits:
    """Raises BadSetting."""
    found = _decode(text)
    problems = [f"{name!r} is unknown; there are {', '.join(_RULES)}" for name in found if name not in _RULES]
    for name, group in found.items():
        if name in _RULES:
            problems += _problems(name, group, *_RULES[name])
    if problems:
        raise BadSetting(problems)
    return msgspec.convert(found, Limits)


def parse_flavors(text: str) -> dict[str, Size]:
    """Raises BadSetting."""
    sizes: dict[str, Size] = {}
    problems: list[str] = []
    for name, given in _decode(text).items():
        try:
            flavor = msgspec.convert(given, Flavor, dec_hook=lambda kind, value: kind(value))
        except (msgspec.ValidationError, ValueError) as error:
            problems.append(f"flavor {name!r}: {error}")
            continue
        if not (math.isfinite(flavor.cpu) and flavor.cpu > 0) or flavor.memory < 0 or flavor.gpu < 0:
            problems.append(f"flavor {name!r}: cpu is more than 0, memory and gpu at least 0")
            continue
        sizes[name] = Size(
            millicpus=max(1, round(flavor.cpu * 1000)), memory_bytes=int(flavor.memory), gpu=flavor.gpu
        )
    if problems:
        raise BadSetting(problems)
    return sizes


def _kinds(limits: Limits) -> Iterator[tuple[str, dict[str, int]]]:
    yield "pool", limits.pools
    yield "workspace", limits.workspaces
    yield "workflow", limits.workflows
    yield "step", limits.steps


def _decode(text: str) -> dict[str, object]:
    if not text.strip():
        return {}
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise BadSetting([f"not JSON: {error}"]) from error
    if not isinstance(found, dict):
        raise BadSetting([f"expected an object, got {text}"])
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_weight(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0


# 0 could mean "none at all" or "no limit"; so it means nothing.
_COUNT = (_is_count, "a whole number, 1 or more")
_RULES: Mapping[str, tuple[str, Callable[[object], bool], str]] = {
    "pools": ("region/pool", *_COUNT),
    "workspaces": ("workspace", *_COUNT),
    "weights": ("workspace", _is_weight, "a number above 0"),
    "workflows": ("workspace/workflow", *_COUNT),
    "steps": ("workspace/workflow/step", *_COUNT),
}


def _problems(
    name: str, group: object, form: str, is_legal: Callable[[object], bool], rule: str
) -> Iterator[str]:
    if not isinstance(group, dict):
        yield f"{name}: expected an object by {form}"
        return
    slashes = form.count("/")
    for key, value in group.items():
        parts = key.split("/")
        is_deeper = name == "steps" and len(parts) - 1 > slashes
        if not all(parts) or (len(parts) - 1 != slashes and not is_deeper):
            yield f"{name}: {key!r} is not of the form {form}"
        if not is_legal(value):
            yield f"{name}: {key!r} is {value!r}; expected {rule}"
