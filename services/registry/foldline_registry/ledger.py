"""Commands on streams, in the name of the caller; the reply waits until the lists show what was written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from foldline.access import caller
from foldline.chassis import logs, observe
from foldline.chassis.clock import Clock
from foldline.domain.errors import FoldlineError
from foldline.domain.run_events import Event
from foldline.eventstore import command, facts
from foldline.eventstore.port import EventStore
from foldline_registry import metrics, streams
from foldline_registry.aggregates.state import Evolve, State
from foldline_registry.views.seen import Seen

log = logs.logger()

S = TypeVar("S", bound=State)

VIEW_WAIT_SECONDS = 2.0
"""A list may miss a command's effect only when the read models are further behind than this."""


class Ledger:
    def __init__(self, store: EventStore, clock: Clock, seen: Seen) -> None:
        self._store = store
        self._clock = clock
        self._seen = seen

    async def load(self, stream: str, evolve: Evolve[S]) -> S | None:
        """The state of a stream as of now; None where it has no events."""
        state: S | None = None
        for recorded in await self._store.read_stream(stream):
            state = evolve(state, facts.decode(recorded), recorded.time)
        return state

    async def execute(
        self,
        stream: str,
        evolve: Evolve[S],
        decide: Callable[[S | None], Sequence[Event]],
        *,
        workspace: str,
        wait: bool = True,
    ) -> tuple[S, bool]:
        """Append what `decide` says; the state behind it, and whether anything was appended.

        `wait=False` where another stream is written next, which stands behind this one in every list.
        """

        def decided(state: S | None, _now: datetime) -> Sequence[Event]:
            return decide(state)

        category = streams.category(stream)
        try:
            state, events = await command.execute(
                self._store,
                stream,
                fold=evolve,
                decide=decided,
                meta=_meta(workspace),
                clock=self._clock,
            )
        except FoldlineError as error:
            metrics.COMMANDS.labels(category, error.kind.value).inc()
            raise
        metrics.COMMANDS.labels(category, "changed" if events else "unchanged").inc()
        assert state is not None, "a decision on an empty stream appends or refuses"
        if events:
            log.info("stream_appended", stream=stream, events=[type(event).__name__ for event in events])
        # Somebody who repeats a command whose reply was lost may be just as early.
        is_recent = self._clock.now() - state.updated_at < timedelta(seconds=VIEW_WAIT_SECONDS)
        if wait and is_recent:
            await self._shown(stream, state.revision)
        return state, bool(events)

    async def _shown(self, stream: str, revision: int) -> None:
        start = time.monotonic()
        if await self._seen.wait(stream, revision, seconds=VIEW_WAIT_SECONDS):
            metrics.VIEW_WAIT_SECONDS.observe(time.monotonic() - start)
        else:
            metrics.VIEW_WAITS_CUT.inc()
            log.warning("view_wait_cut", stream=stream, revision=revision)


def _meta(workspace: str) -> facts.Meta:
    return facts.Meta(
        actor=caller().subject,
        workspace=workspace,
        correlation=observe.correlation(),
        trace=observe.trace(),
    )
