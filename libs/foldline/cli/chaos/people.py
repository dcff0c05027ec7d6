"""The people and the outer world of a campaign: they answer what runs ask, as the names of the steps say.

Each asks again until the ledger says that it has happened; the platform may be in any state meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from foldline.cli.chaos.finding import Finding
from foldline.cli.chaos.histories import Histories
from foldline.domain.errors import FoldlineError, Kind
from foldline.eventstore import facts
from foldline.eventstore.port import Recorded
from foldline.sdk.client import Client

CALL_SECONDS = 5.0
AGAIN_SECONDS = 0.2
PAUSED_SECONDS = 0.5


class People:
    """`on_event` hears every event of every run."""

    def __init__(self, client: Client, histories: Histories, tasks: asyncio.TaskGroup) -> None:
        self.problems: list[Finding] = []
        """Answers that nobody should ever get."""
        self._client = client
        self._histories = histories
        self._tasks = tasks

    def on_event(self, run_id: str, event: Recorded) -> None:
        if event.type == "WaitOpened":
            self._tasks.create_task(self._answer(run_id, _step(event)))
        elif event.type == "StepHeld":
            self._tasks.create_task(self._allow(run_id, _step(event), event.version))
        elif event.type == "RunPaused" and not _by_parent(event):
            # Also where a call came so late that somebody has resumed the run in the meantime.
            self._tasks.create_task(self._resume(run_id, event.version))

    async def _answer(self, run_id: str, step: str) -> None:
        kind, _, number = step.partition("-")
        match kind:
            case "go":
                data = int(number)
                await self._until(
                    run_id, {"WaitAnswered"}, step, lambda: self._client.waits.deliver(run_id, step, data)
                )
            case "stop":
                await self._until(
                    run_id, {"RunStopRequested"}, "", lambda: self._client.operations.stop(run_id)
                )
            case "pause":
                await self._until(run_id, {"RunPaused"}, "", lambda: self._client.operations.pause(run_id))
                await self._say(run_id, step, yes=True)
            case _:
                await self._say(run_id, step, yes=kind == "yes")

    async def _say(self, run_id: str, step: str, *, yes: bool) -> None:
        await self._until(
            run_id, {"WaitAnswered"}, step, lambda: self._client.waits.approve(run_id, step, yes)
        )

    async def _resume(self, run_id: str, version: int) -> None:
        await self._histories.until(lambda: run_id in self._histories.ended, PAUSED_SECONDS)
        await self._until(
            run_id, {"RunResumed"}, "", lambda: self._client.operations.resume(run_id), after=version
        )

    async def _allow(self, run_id: str, step: str, version: int) -> None:
        """Somebody has looked at a step that may have run, and lets it run again."""

        def retry() -> Awaitable[None]:
            return self._client.operations.retry(run_id, [step], reason="chaos")

        await self._until(run_id, {"StepRetried", "StepStopped"}, step, retry, after=version)

    async def _until(
        self,
        run_id: str,
        types: set[str],
        step: str,
        act: Callable[[], Awaitable[None]],
        *,
        after: int = 0,
    ) -> None:
        def has_happened() -> bool:
            events = self._histories.of.get(run_id, [])
            return run_id in self._histories.ended or any(
                one.type in types and (not step or _step(one) == step) for one in events[after:]
            )

        while run_id in self._histories.of and not has_happened():
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await act()
            except (FoldlineError, TimeoutError) as error:
                if isinstance(error, FoldlineError) and error.kind is Kind.INTERNAL:
                    self.problems.append(Finding(run_id, "INTERNAL_ERROR", error.message))
                await self._histories.until(has_happened, AGAIN_SECONDS)
            else:
                await self._histories.until(has_happened, CALL_SECONDS)


def _step(event: Recorded) -> str:
    return str(getattr(facts.decode(event), "step", ""))


def _by_parent(event: Recorded) -> bool:
    return bool(getattr(facts.decode(event), "by_parent", False))
