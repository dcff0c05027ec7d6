"""Where a step stands in a run and the runs inside it, told without ids and attempts: its path.

    train                     of the run itself
    inside:0/train            in the run inside step `inside`
    loop:2/train              in the third iteration of `loop`
    each/train.7              for item 7 of the map `each`, whichever child that item is in

Two runs of a workflow have the same paths, which is how what a step did is found in an earlier run. People
name steps the same way, but need not count: `loop/train` and `each/train` mean all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

ALL = "*"


def path_of(run_id: str, step: str) -> str:
    """The path of a step of the run, which may be one inside another (`inner.child_id`)."""
    levels = list(_levels(run_id))
    path = ""
    for (name, _, index), below in zip(levels, [*[one[0] for one in levels], step][1:], strict=True):
        # Steps for an item are numbered themselves; their child depends on how items were put together.
        path += f"{name}/" if "." in below else f"{name}:{index}/"
    return path + step


def attempts_of(run_id: str) -> tuple[int, ...]:
    """The attempts of the steps around a run, outermost first; none for a run that somebody started."""
    return tuple(attempt for _, attempt, _ in _levels(run_id))


def around(run_id: str) -> list[tuple[str, str, int]]:
    """Run, step and attempt that a run is inside of, at every level."""
    found = []
    outer = run_id.partition(".")[0]
    for name, attempt, index in _levels(run_id):
        found.append((outer, name, attempt))
        outer = f"{outer}.{name}.{attempt}.{index}"
    return found


def _levels(run_id: str) -> Iterator[tuple[str, int, int]]:
    """Step, attempt and index at every level. A step begins with a letter, and may have an item's number."""
    parts = run_id.split(".")[1:]
    while parts:
        size = next((place for place, part in enumerate(parts[1:], 1) if part[0].isalpha()), len(parts))
        yield ".".join(parts[: size - 2]), int(parts[size - 2]), int(parts[size - 1])
        parts = parts[size:]


def parents(path: str) -> list[str]:
    """The paths of the steps with a body around a path, outermost first."""
    levels = path.split("/")
    return ["/".join([*levels[:place], levels[place].partition(":")[0]]) for place in range(len(levels) - 1)]


def shown(path: str) -> str:
    """The path as people write it."""
    return "/".join(_bare(level.partition(":")[0]) for level in path.split("/"))


def names(selectors: Iterable[str], step: str) -> bool:
    """Do the selectors of a run mean this step of it?"""
    return any(one in (ALL, step, _bare(step)) for one in selectors)


def inside(selectors: Iterable[str], step: str) -> tuple[str, ...]:
    """What the selectors of a run mean in the runs inside `step`."""
    if names(selectors, step):
        return (ALL,)
    heads = dict.fromkeys((f"{step}/", f"{_bare(step)}/"))
    return tuple(one[len(head) :] for one in selectors for head in heads if one.startswith(head))


def _bare(step: str) -> str:
    return step.partition(".")[0]
