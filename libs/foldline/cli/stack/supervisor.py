"""Runs programs in stages and ends them in the opposite order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from foldline.cli.stack.home import Home
from foldline.cli.stack.keeper import Begin, Condition, Keeper, Program
from foldline.cli.stack.logfile import LogFile

Changed = Callable[[list[Condition], Condition], None]
"""Called with how all programs fare, and the one that just changed."""


class Supervisor:
    """Programs of a later stage may rely on those of the earlier ones, so they end before them."""

    def __init__(self, home: Home, tasks: asyncio.TaskGroup, changed: Changed) -> None:
        self._home = home
        self._tasks = tasks
        self._changed = changed
        self._stages: list[list[Keeper]] = []

    def start(self, programs: Sequence[Program], begin: Begin | None = None) -> None:
        """Start one stage; its programs run side by side and end side by side.

        `begin` is how their first processes start, where it can.
        """
        stage = [Keeper(one, LogFile(self._home.log(one.name)), self._tell, begin) for one in programs]
        self._stages.append(stage)
        for keeper in stage:
            self._tasks.create_task(keeper.run(), name=f"keep {keeper.program.name}")

    async def stop(self) -> None:
        for stage in reversed(self._stages):
            await asyncio.gather(*(keeper.stop() for keeper in stage))

    def condition(self, name: str) -> Condition:
        return next(condition for condition in self.conditions() if condition.name == name)

    def conditions(self) -> list[Condition]:
        return [keeper.condition for stage in self._stages for keeper in stage]

    def _tell(self, condition: Condition) -> None:
        self._changed(self.conditions(), condition)


@asynccontextmanager
async def supervise(home: Home, changed: Changed) -> AsyncIterator[Supervisor]:
    """A supervisor whose programs have all ended when the block is left, in whatever way."""
    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(home, tasks, changed)
        try:
            yield supervisor
        finally:
            await supervisor.stop()
