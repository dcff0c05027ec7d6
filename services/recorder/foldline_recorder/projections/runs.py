"""Read model: one row per run, for lists, for finding a run by the beginning of its id, and for todos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from foldline.eventstore.port import Position
from foldline.pg import sql
from foldline.pg.connect import Pool
from foldline_recorder import checkpoints
from foldline_recorder.database import translated
from foldline_recorder.records import Record
from foldline_recorder.todos import TodoView, view_todos
from foldline_recorder.views import RunView, brief_run, view_run

_WRITE = sql.load("foldline_recorder", "write_runs")
_LIST = sql.load("foldline_recorder", "list_runs")
_FIND = sql.load("foldline_recorder", "find_runs")

_TODOS = sql.load("foldline_recorder", "list_todos")

COLUMNS = 11

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(RunView)
_todos_decoder = msgspec.json.Decoder(list[TodoView])


class Listed(NamedTuple):
    """A run of a list, and its place in the order of the list."""

    place: Position
    run: RunView


class Runs:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def write(self, records: Sequence[Record], position: Position) -> None:
        """Take the records in, and the follower's position with them, in one transaction."""
        rows = [_row(record) for record in records]
        columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * COLUMNS
        with translated():
            await self._pool.execute(
                _WRITE, *columns, checkpoints.RUNS, position.transaction, position.number
            )

    async def newest(
        self,
        workspace: str,
        *,
        workflow: str,
        status: str,
        parent: str,
        behind: Position | None,
        limit: int,
    ) -> list[Listed]:
        """Newest first, at most `limit`, from behind a place in the order.

        Only those inside the run `parent`; without one, only those that somebody started.
        """
        transaction, number = (None, None) if behind is None else (behind.transaction, behind.number)
        with translated():
            rows = await self._pool.fetch(
                _LIST, workspace, workflow, status, transaction, number, limit, parent
            )
        return [
            Listed(Position(row["transaction"], row["number"]), _decoder.decode(row["run"])) for row in rows
        ]

    async def todos(self, workspace: str, *, limit: int) -> list[TodoView]:
        """The oldest todos of the workspace, oldest first, at most `limit`."""
        with translated():
            rows = await self._pool.fetch(_TODOS, workspace, limit)
        found = [todo for row in rows for todo in _todos_decoder.decode(row["todos"])]
        return sorted(found, key=lambda todo: (todo.since, todo.run_id))[:limit]

    async def check(self) -> None:
        """Raise unless the read model can be asked."""
        await self.find("", "", limit=1)

    async def find(self, workspace: str, beginning: str, *, limit: int) -> list[str]:
        """Ids of the workspace's started runs that begin so."""
        with translated():
            rows = await self._pool.fetch(_FIND, workspace, beginning, limit)
        return [row["run_id"] for row in rows]


def _row(record: Record) -> tuple[object, ...]:
    view = brief_run(view_run(record))
    todos = view_todos(record)
    return (
        view.run_id,
        view.workspace,
        view.workflow,
        view.status,
        record.place.transaction,
        record.place.number,
        view.version,
        _encoder.encode(view).decode(),
        "" if view.parent is msgspec.UNSET else view.parent.run_id,
        _encoder.encode(todos).decode(),
        todos[0].since if todos else None,
    )
