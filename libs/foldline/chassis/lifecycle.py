"""A process from start to end: settings, logs, signals, exit code.

The service is one coroutine `main(settings, life)` that opens everything with `async with`, sets `life.ready`
and waits for `life.stop`. Leaving the `async with` is the shut-down, in reverse order.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import uvloop

from foldline.chassis import logs, settings
from foldline.chassis.health import Checks

log = logs.logger()

S = TypeVar("S")


class Lifecycle:
    """What a service and the chassis tell each other."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        """Set by a signal: stop taking work, finish, return from main."""
        self.ready = asyncio.Event()
        """Set by main: everything is open and serving."""
        self.checks = Checks()

    async def problems(self) -> dict[str, str]:
        """Why this process is not fit for work now; empty when it is."""
        if self.stop.is_set():
            return {"stopping": "the process is shutting down"}
        if not self.ready.is_set():
            return {"starting": "the process has not started yet"}
        return {name: problem for name, problem in (await self.checks.run()).items() if problem}


Main = Callable[[S, Lifecycle], Awaitable[None]]


def run(main: Main[S], cls: type[S], *, service: str) -> NoReturn:
    """Load settings, run `main` until SIGTERM or SIGINT, exit: 0 in good order, 1 otherwise."""
    try:
        loaded = settings.load(cls)
    except settings.SettingsError as error:
        print(f"foldline {service}: {error}", file=sys.stderr)  # noqa: T201 - logs need settings
        sys.exit(1)
    logs.configure(service, getattr(loaded, "log_format", "auto"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(_supervise(main, loaded)))


async def _supervise(main: Main[S], loaded: S) -> int:
    life = Lifecycle()
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, life, task, number)
    log.info("process_started")
    try:
        await main(loaded, life)
    except asyncio.CancelledError:
        log.warning("process_cut_short")
        return 1
    except Exception:
        log.exception("process_failed")
        return 1
    log.info("process_stopped")
    return 0


def _on_signal(life: Lifecycle, task: asyncio.Task[object], number: signal.Signals) -> None:
    """The first signal asks, the second one insists."""
    if life.stop.is_set():
        task.cancel()
        return
    log.info("signal_received", signal=number.name)
    life.stop.set()
