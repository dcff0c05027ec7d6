"""Earlier states of a run, and where two histories part. Pure; a history is events with their times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import zip_longest
from operator import eq

from msgspec import Struct

from foldline.domain import run
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.evolve import evolve
from foldline.domain.run_events import RunEvent

History = Iterable[tuple[RunEvent, datetime]]


class Divergence(Struct, frozen=True):
    """The first place at which two histories differ. None stands for a history that has ended before."""

    version: int
    left: RunEvent | None
    right: RunEvent | None


def fold_until(history: History, version: int, state: run.RunState | None = None) -> run.RunState:
    """The state as of `version`: fold what is needed of `history`, no more, onto `state`.

    Without `state` the history begins with version 1, otherwise with the version behind the state's. Raises
    OUT_OF_RANGE when there is no such version, and for one that `state` is past already.
    """
    last = 0 if state is None else state.version
    if version < max(last, 1):
        raise _out_of_range(version, f"this history begins with version {max(last, 1)}")
    events = iter(history)
    while last < version:
        following = next(events, None)
        if following is None:
            raise _out_of_range(version, f"the last one is {last}")
        state = evolve(state, *following)
        last = state.version
    assert state is not None, "version is at least 1, so something was folded or given"
    return state


def first_divergence(
    left: Iterable[RunEvent],
    right: Iterable[RunEvent],
    *,
    is_same: Callable[[RunEvent, RunEvent], bool] = eq,
) -> Divergence | None:
    """Where two histories first differ, None where they do not. Times are not compared.

    `is_same` says which events count as the same, e.g. whatever executor they name.
    """
    for version, (one, other) in enumerate(zip_longest(left, right), start=1):
        if one is None or other is None or not is_same(one, other):
            return Divergence(version, one, other)
    return None


def _out_of_range(version: int, why: str) -> FoldlineError:
    return FoldlineError(
        Kind.OUT_OF_RANGE, "NO_SUCH_VERSION", f"there is no version {version}: {why}", version=str(version)
    )
