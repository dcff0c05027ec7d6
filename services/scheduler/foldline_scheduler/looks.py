"""The runs that were last looked at: looking again reads only what has been written since.

Who plans a fork of a long run plans it several times, and its events are tens of thousands.
"""

from __future__ import annotations

from collections.abc import Callable

from foldline.domain.run import RunState
from foldline_scheduler.run import OwnedRun

KEPT = 4


class Looks:
    def __init__(self, new: Callable[[str], OwnedRun]) -> None:
        self._new = new
        self._runs: dict[str, OwnedRun] = {}  # the last used is the last

    async def state(self, run_id: str) -> RunState | None:
        """As of now; None where there is no such run."""
        run = self._runs.pop(run_id, None) or self._new(run_id)
        await run.load()
        if run.state is not None:
            self._runs[run_id] = run
            for oldest in list(self._runs)[:-KEPT]:
                del self._runs[oldest]
        return run.state
