"""Group commit: everything that waits to be appended goes out in one statement, one commit, one round trip.

While a statement is on its way, new appends gather; when it is done they all leave in the next one. So the
cost of a commit is shared by whoever comes at the same time, and a lone append waits for nobody.

If the batch is refused (a version is taken, or an expected head is not there) its appends are tried one by
one, so that only the guilty are told. If the connection is lost the outcome is unknown; then the same events
are inserted again: the primary key lets them in once at most (and waits for a first try that is still
being committed), and if they are refused the ids standing there tell whether the first try had arrived.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import asyncpg
import msgspec
import structlog

from foldline.chassis import metrics
from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore import limits
from foldline.eventstore.chain import link_all
from foldline.eventstore.kept import KeptConnection
from foldline.eventstore.port import NO_STREAM, Head, NewEvent, VersionConflict
from foldline.pg import sql
from foldline.pg.connect import Pool
from foldline.pg.errors import is_lost, is_unavailable

_APPEND = sql.load("foldline.eventstore", "append")
_FIND = sql.load("foldline.eventstore", "find")

MOST_EVENTS = 1000
MOST_BYTES = 4 * 1024 * 1024
RESOLVE_SECONDS = 5.0
"""How long to try to learn the outcome of a commit whose answer was lost."""

log = structlog.get_logger()

_batches = metrics.histogram(
    "foldline_ledger_batch_appends",
    "Appends that shared one commit",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)


class _Append(msgspec.Struct, frozen=True, eq=False):
    """One caller's events, hashed, and where to tell it the outcome."""

    stream: str
    expected: Head
    events: Sequence[NewEvent]
    heads: Sequence[Head]
    done: asyncio.Future[None]

    @property
    def size(self) -> int:
        return sum(len(event.payload) + len(event.meta) for event in self.events)

    def succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Appender:
    """Queues appends and writes them; `run` must be running. `on_commit` is told which types were written."""

    def __init__(self, pool: Pool, on_commit: Callable[[frozenset[str]], None]) -> None:
        self._on_commit = on_commit
        self._queue: deque[_Append] = deque()
        self._waiting = asyncio.Event()
        self._connection = KeptConnection(pool)
        self._closed = False

    async def append(self, stream: str, expected: Head, events: Sequence[NewEvent]) -> Head:
        if self._closed:
            raise _unreachable("the ledger is closed")
        limits.check(stream, events)
        heads = link_all(stream, expected, events)
        done = asyncio.get_running_loop().create_future()
        self._queue.append(_Append(stream, expected, events, heads, done))
        self._waiting.set()
        await done
        return heads[-1]

    async def run(self) -> None:
        """Write what is queued, for ever."""
        batch: list[_Append] = []
        try:
            while True:
                await self._waiting.wait()
                batch = self._take()
                await self._flush(batch)
                if not self._queue:
                    self._waiting.clear()
        finally:
            self._closed = True
            for append in (*batch, *self._queue):
                append.fail(_unknown("the ledger was closed before its answer came"))
            await self._connection.drop()

    def _take(self) -> list[_Append]:
        """The next batch: in order, one append per stream at most (the second needs the first one's head)."""
        batch: list[_Append] = []
        later: list[_Append] = []
        streams: set[str] = set()
        events = size = 0
        while self._queue and events < MOST_EVENTS and size < MOST_BYTES:
            append = self._queue.popleft()
            if append.done.done():
                continue  # cancelled while it waited
            if append.stream in streams:
                later.append(append)
                continue
            streams.add(append.stream)
            batch.append(append)
            events += len(append.events)
            size += append.size
        self._queue.extendleft(reversed(later))
        return batch

    async def _flush(self, batch: list[_Append]) -> None:
        """Settle every append of the batch, whatever happens to the connection meanwhile."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RESOLVE_SECONDS
        in_doubt = False
        pause = 0.02
        while batch := [append for append in batch if not append.done.done()]:
            try:
                await self._settle(batch, in_doubt)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                # An answer that says no is an answer; only silence leaves a doubt.
                in_doubt = in_doubt or (self._connection.is_open and is_lost(error))
                await self._connection.drop()
                if not in_doubt or loop.time() > deadline:
                    _refuse(batch, error, in_doubt)
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.5)

    async def _settle(self, batch: list[_Append], in_doubt: bool) -> None:
        refusal = await self._insert(batch)
        if refusal is None:
            _batches.observe(len(batch))
            for append in batch:
                append.succeed()
            self._on_commit(frozenset(event.type for append in batch for event in append.events))
        elif len(batch) > 1:
            for append in batch:
                await self._settle([append], in_doubt)
        elif in_doubt and await self._stands_already(batch[0]):
            batch[0].succeed()
            self._on_commit(frozenset(event.type for event in batch[0].events))
        else:
            batch[0].fail(refusal)

    async def _insert(self, batch: list[_Append]) -> Exception | None:
        """One statement, one commit. Returns why it was refused as a whole, None when it was not."""
        rows = [
            (
                append.stream,
                head.version,
                event.id,
                event.type,
                event.time,
                event.payload,
                event.meta,
                head.hash,
            )
            for append in batch
            for event, head in zip(append.events, append.heads, strict=True)
        ]
        guards = [
            (append.stream, append.expected.version, append.expected.hash)
            for append in batch
            if append.expected != NO_STREAM
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        expected = [list(column) for column in zip(*guards, strict=True)] if guards else [[], [], []]
        connection = await self._connection.get()
        conflict = VersionConflict(batch[0].stream, batch[0].expected.version)
        try:
            status = await connection.execute(_APPEND, *columns, *expected)
        except asyncpg.UniqueViolationError:
            return conflict
        except asyncpg.PostgresError as error:
            if is_unavailable(error):
                raise
            # Whatever is wrong: it is for the caller whose append it is, and the writer goes on.
            return error
        return None if status == f"INSERT 0 {len(rows)}" else conflict

    async def _stands_already(self, append: _Append) -> bool:
        connection = await self._connection.get()
        ids = [event.id for event in append.events]
        found = await connection.fetchval(_FIND, append.stream, append.heads[0].version, ids)
        return bool(found == len(ids))


def _refuse(batch: Sequence[_Append], error: BaseException, in_doubt: bool) -> None:
    log.warning("ledger_append_failed", appends=len(batch), in_doubt=in_doubt, error=str(error))
    for append in batch:
        if in_doubt:
            append.fail(_unknown(f"the connection to the ledger was lost in a commit: {error}"))
        else:
            append.fail(_unreachable(f"the ledger cannot be written: {error}"))


def _unreachable(message: str) -> FoldlineError:
    return FoldlineError(Kind.UNAVAILABLE, "LEDGER_UNAVAILABLE", message)


def _unknown(message: str) -> FoldlineError:
    """Not to be taken for a refusal: the events may stand in the ledger. Read the stream before retrying."""
    return FoldlineError(Kind.UNAVAILABLE, "LEDGER_OUTCOME_UNKNOWN", message)
