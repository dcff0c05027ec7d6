"""Several processes that work on one attempt together: all or nothing.

Each rank is an attempt of its own to the launcher, with its own folder and process. Here they get to know
each other (the variables that torchrun and its like set), fail together, and become one outcome: that of
rank 0, or the failure of the rank that failed first.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from foldline.runtime.attempts import Attempt
from foldline.runtime.jobs import RANKS, Job, Line, Outcome, StepFailure
from foldline.runtime.port import OnLines, OnStarted
from foldline.runtime.ports import MeetingPort


class Member(Protocol):
    """One rank, as far as it matters to the others."""

    failed_at: float
    others_heard: float

    def stop(self, grace_seconds: float | None, *, forced: bool = False) -> None: ...


RunOne = Callable[[Any, OnLines, OnStarted | None], Coroutine[None, None, Outcome]]

ADDRESS = "127.0.0.1"

SETTLE_SECONDS = 0.05
"""After a failure, for a rank that failed before it, and caused it, to say so, too."""


class Ranks:
    """The attempt of a job with ranks. `run_one` carries out one of the members."""

    def __init__(self, job: Job, run_one: RunOne) -> None:
        self.job = job
        self._run_one = run_one
        self._attempts: Sequence[Member] = ()
        self._order = asyncio.Lock()

    def stop(self, grace_seconds: float | None, *, forced: bool = False) -> None:
        """Of all of them."""
        for attempt in self._attempts:
            attempt.stop(grace_seconds, forced=forced)

    async def run(self, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        """To the end of all ranks. Cancelling kills them."""
        with MeetingPort() as port:
            attempts = [Attempt(of_rank(self.job, rank, port.number)) for rank in range(self.job.ranks)]
            return await self.carry_out(attempts, on_lines, on_started)

    async def carry_out(
        self, attempts: Sequence[Member], on_lines: OnLines, on_started: OnStarted | None
    ) -> Outcome:
        """The same, of ranks that somebody else has made and placed."""
        self._attempts = attempts
        try:
            outcomes = await self._run_all(on_lines, on_started)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return self._together(outcomes)

    async def _run_all(self, on_lines: OnLines, on_started: OnStarted | None) -> list[Outcome]:
        missing = self.job.ranks

        def one_started() -> None:
            nonlocal missing
            missing -= 1
            if not missing and on_started is not None:
                on_started()

        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._run_one(attempt, self._tagged(rank, on_lines), one_started))
                for rank, attempt in enumerate(self._attempts)
            ]
            for next_one in asyncio.as_completed(running):
                if (await next_one).failure is not None:
                    await asyncio.sleep(SETTLE_SECONDS)
                    break
            for task, attempt in zip(running, self._attempts, strict=True):
                if not task.done():
                    attempt.stop(0.0, forced=True)
        return [task.result() for task in running]

    def _tagged(self, rank: int, on_lines: OnLines) -> OnLines:
        async def hear(lines: Sequence[Line]) -> None:
            for attempt in self._attempts:
                attempt.others_heard = time.monotonic()
            async with self._order:
                await on_lines([Line(line.stream, line.text, rank) for line in lines])

        return hear

    def _together(self, outcomes: Sequence[Outcome]) -> Outcome:
        together = dataclasses.replace(
            outcomes[0],
            seconds=max(outcome.seconds for outcome in outcomes),
            max_rss_bytes=sum(outcome.max_rss_bytes for outcome in outcomes),
            reads=tuple(dict.fromkeys(digest for outcome in outcomes for digest in outcome.reads)),
        )
        failed = [rank for rank, outcome in enumerate(outcomes) if outcome.failure is not None]
        if not failed:
            return together
        first = min(failed, key=lambda rank: self._order_of(rank, outcomes[rank].failure))
        return dataclasses.replace(together, outputs={}, failure=self._named(first, outcomes[first].failure))

    def _order_of(self, rank: int, failure: StepFailure | None) -> tuple[bool, float]:
        """Of failures. What a rank raises may follow from the death of another one, which shows later."""
        assert failure is not None
        is_second = failure.kind == "stopped" or failure.reason == "STEP_RAISED"
        return is_second, self._attempts[rank].failed_at or float("inf")

    def _named(self, rank: int, failure: StepFailure | None) -> StepFailure:
        assert failure is not None
        if failure.kind == "stopped":
            return failure  # all of them were
        message = f"rank {rank} of {self.job.ranks}: {failure.message}"
        return dataclasses.replace(failure, message=message)


def of_rank(job: Job, rank: int, port: int) -> Job:
    """The job of one rank. Outputs, metrics and checkpoints are rank 0's to leave."""
    variables = {
        **job.variables,
        "RANK": str(rank),
        "WORLD_SIZE": str(job.ranks),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(job.ranks),
        "MASTER_ADDR": ADDRESS,
        "MASTER_PORT": str(port),
    }
    one = dataclasses.replace(job, key=f"{job.key} rank {rank}", ranks=1, variables=variables)
    if rank == 0:
        return one
    program = None if job.program is None else dataclasses.replace(job.program, metrics_file="")
    return dataclasses.replace(one, folder=job.folder / RANKS / str(rank), outputs=(), program=program)
