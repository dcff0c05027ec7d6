"""Ids of runs as people type them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foldline.domain.spec import Graph
    from foldline.sdk.client import Client

_LENGTH = 36


async def whole_id(client: Client, run: str) -> str:
    """The run's id for a unique beginning of it; a whole id is not asked for.

    A run inside a step is "RUN.step.attempt.index", of which the part before the first dot may be shortened.
    """
    return run if len(run.partition(".")[0]) == _LENGTH else (await client.runs.get(run)).run.run_id


async def graph_of_run(client: Client, run: str) -> Graph:
    """The graph that the run is of: its parameters and forms say how values are to be read."""
    from foldline.domain.spec import Graph
    from foldline.wire import messages

    return messages.from_message((await client.runs.get(run)).graph, Graph)
