"""What the states of all streams have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run_events import Event

_NEVER = datetime.fromtimestamp(0, UTC)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`revision` is the version of the last event folded in; `folding` keeps all three up to date."""

    revision: int = 0
    created_at: datetime = _NEVER
    updated_at: datetime = _NEVER


S = TypeVar("S", bound=State)

Evolve = Callable[[S | None, Event, datetime], S]


def folding(evolve: Evolve[S]) -> Evolve[S]:
    """`evolve`, with revision and times."""

    def fold(state: S | None, event: Event, at: datetime) -> S:
        return msgspec.structs.replace(
            evolve(state, event, at),
            revision=1 if state is None else state.revision + 1,
            created_at=at if state is None else state.created_at,
            updated_at=at,
        )

    return fold


def misplaced(state: State | None, event: Event) -> FoldlineError:
    """The ledger holds an event where no decision could have put it: stop, do not guess."""
    where = "at the start of a stream" if state is None else f"after {type(state).__name__}"
    name = type(event).__name__
    return FoldlineError(Kind.INTERNAL, "EVENT_MISPLACED", f"{name} does not belong {where}", type=name)
