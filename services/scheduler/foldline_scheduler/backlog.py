"""How many runs may wait for an executor before no more are started. Pure: no clock, no I/O.

A run counts as long as an attempt of it, or of a run inside it, waits in the queue; what waits for people,
times or events does not. So a flood of starts fills the backlog and is refused from then on, while all that
was started goes on, and nothing that is under way is ever refused. One workspace has half of it at most.

Replicas need not tell each other: runs spread evenly, so each one's part fills at the same time.
"""

from __future__ import annotations

from collections import Counter

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.inner import root_id

RUNS = 10_000
UNWRITTEN = 2_000
"""Runs with something to write that the ledger has not taken yet. Usually it is a handful."""

RETRY_SECONDS = 5.0
LEDGER_RETRY_SECONDS = 2.0


class Backlog:
    def __init__(self, most: int = RUNS) -> None:
        self._most = max(most, 2)
        self._waiting: dict[str, Counter[str]] = {}  # by workspace: runs that wait, by their outermost run
        self._runs: set[str] = set()
        self._all = 0

    def note(self, workspace: str, run_id: str, *, waits: bool) -> None:
        """The run waits from now on, or does not."""
        if waits == (run_id in self._runs):
            return
        outermost = root_id(run_id)
        if waits:
            self._runs.add(run_id)
            counts = self._waiting.setdefault(workspace, Counter())
            self._all += outermost not in counts
            counts[outermost] += 1
            return
        self._runs.remove(run_id)
        counts = self._waiting[workspace]
        counts[outermost] -= 1
        if not counts[outermost]:
            del counts[outermost]
            self._all -= 1
        if not counts:
            del self._waiting[workspace]

    def of(self, workspace: str) -> int:
        """Runs of the workspace that wait."""
        return len(self._waiting.get(workspace, ()))

    def require(self, workspace: str, unwritten: int) -> None:
        """Raises EXHAUSTED where no more runs are to be started now."""
        if unwritten >= UNWRITTEN:
            message = f"the ledger is behind: {unwritten} runs wait to be written; no run was started"
            raise FoldlineError(Kind.EXHAUSTED, "LEDGER_BEHIND", message).again_in(LEDGER_RETRY_SECONDS)
        if self.of(workspace) >= self._most // 2:
            raise _full(f"workspace {workspace} has", self.of(workspace), self._most // 2)
        if self._all >= self._most:
            raise _full("the installation has", self._all, self._most)


def _full(who: str, count: int, most: int) -> FoldlineError:
    message = f"{who} {count} runs that wait for an executor, and {most} may wait; no run was started"
    error = FoldlineError(Kind.EXHAUSTED, "TOO_MANY_RUNS", message, waiting=str(count), limit=str(most))
    return error.again_in(RETRY_SECONDS)
