"""Is this process fit for work? Named checks; /readyz and grpc.health.v1 show the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

Check = Callable[[], Awaitable[object]]
"""Returns when all is well and raises when not; the value does not matter."""

DEADLINE_SECONDS = 2.0


class Checks:
    """The named checks of one process."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        if name in self._checks:
            raise ValueError(f"there is a check named {name!r} already")
        self._checks[name] = check

    async def run(self) -> dict[str, str]:
        """Run all at once: name to problem, "" where there is none."""
        names = list(self._checks)
        problems = await asyncio.gather(*(_problem(self._checks[name]) for name in names))
        return dict(zip(names, problems, strict=True))


async def _problem(check: Check) -> str:
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {DEADLINE_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its answer
        return f"{type(error).__name__}: {error}"
    return ""
