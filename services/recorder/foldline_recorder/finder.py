"""Which run is meant, and whether the workspace has it. A run of another workspace is not there at all."""

from __future__ import annotations

import re

from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore import facts
from foldline.eventstore.port import Recorded
from foldline_recorder.projections.runs import Runs
from foldline_recorder.records import Record, Records

SHORTEST = 6
SHOWN = 5

_WHOLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PART = re.compile(r"[0-9a-f-]*")


class Finder:
    def __init__(self, runs: Runs, records: Records) -> None:
        self._runs = runs
        self._records = records

    async def record(self, workspace: str, text: str) -> Record:
        """The record of the run with this id, or whose id alone begins so. Raises NOT_FOUND, INVALID."""
        record = await self._records.newest(await self._run_id(workspace, text))
        if record is None or record.state.created.workspace != workspace:
            raise unknown(workspace, text)
        return record

    async def run_id(self, workspace: str, text: str) -> str:
        """The same without folding, so also for a run whose record cannot be folded."""
        run_id = await self._run_id(workspace, text)
        first = await self._records.events(run_id, after=0, limit=1)
        if not first or _workspace_of(first[0]) != workspace:
            raise unknown(workspace, text)
        return run_id

    async def _run_id(self, workspace: str, text: str) -> str:
        """A run inside a step is named by the started run that it is a part of, and its place in that."""
        started, dot, place = text.partition(".")
        return await self._started(workspace, started.lower()) + dot + place

    async def _started(self, workspace: str, text: str) -> str:
        if _WHOLE.fullmatch(text):
            return text
        if len(text) < SHORTEST:
            raise FoldlineError(
                Kind.INVALID,
                "RUN_ID_TOO_SHORT",
                f"{text!r} is too short: give a run's id or at least its first {SHORTEST} characters",
            )
        found = await self._runs.find(workspace, text, limit=SHOWN + 1) if _PART.fullmatch(text) else []
        if not found:
            raise unknown(workspace, text)
        if len(found) > 1:
            shown = ", ".join(found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
            raise FoldlineError(
                Kind.INVALID,
                "RUN_ID_AMBIGUOUS",
                f"more than one run of workspace {workspace} begins with {text}: {shown}",
                run_id=text,
            )
        return found[0]


def unknown(workspace: str, run_id: str) -> FoldlineError:
    return FoldlineError(
        Kind.NOT_FOUND, "UNKNOWN_RUN", f"workspace {workspace} has no run {run_id}", run_id=run_id
    )


def _workspace_of(first: Recorded) -> str:
    """From the metadata; the payload may be what somebody edited, and the verdict is to say so."""
    meta: facts.Meta = facts.meta_of(first)
    return meta.workspace
