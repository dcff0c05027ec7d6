"""A launcher on another machine, as an object whose methods are called from afar (of Ray: an actor).

It ends with its process, and with it whatever it carries, whatever way that goes. And it does not wait to be
ended: when whoever made it is silent, or what started its process has gone, it ends by itself.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

from foldline.runtime import kernel
from foldline.runtime.jobs import Job
from foldline.runtime.launcher import Launcher
from foldline.runtime.ports import MeetingPort
from foldline.runtime.remote import Desk, Message

SILENCE_SECONDS = 15.0
"""After so long without a `beat` there is nobody any more who could want anything."""

_LOOK_SECONDS = 0.5


class Outpost:
    """Calls are concurrent; each `messages` is the only one for its job."""

    def __init__(self, folder: str, environ: Mapping[str, str]) -> None:
        # Steps run as the same user; what lets us into the cluster is none of their business.
        kernel.forbid_inspection()
        self._launcher = Launcher(Path(folder), environ=environ)
        self._desk = Desk(self._launcher)
        self._opening = asyncio.Lock()
        self._is_open = False
        self._ports: dict[str, MeetingPort] = {}
        self._heard = time.monotonic()
        self._parent = os.getppid()
        self._watching: asyncio.Task[None] | None = None

    async def beat(self) -> None:
        """Whoever made it is still there."""
        self._heard = time.monotonic()

    async def begin(self, job: Job) -> list[Message]:
        """Have it carried out; the first messages."""
        await self._open()
        self._desk.begin(job)
        return await self.messages(job.key)

    async def messages(self, key: str) -> list[Message]:
        return await self._desk.messages(key)

    async def stop(self, key: str, grace_seconds: float | None, forced: bool) -> bool:
        return self._desk.stop(key, grace_seconds, forced)

    async def kill(self, key: str) -> None:
        await self._desk.kill(key)

    async def take_port(self, key: str) -> int:
        """A port of this machine for the ranks of a job to meet at, until `free_port`."""
        port = self._ports[key] = MeetingPort().__enter__()
        return port.number

    async def free_port(self, key: str) -> None:
        if (port := self._ports.pop(key, None)) is not None:
            port.__exit__(None, None, None)

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            await self._launcher.__aexit__(None, None, None)

    async def _watch(self) -> None:
        self._heard = time.monotonic()
        while (  # noqa: ASYNC110 - what ends it is another process's doing
            os.getppid() == self._parent and time.monotonic() - self._heard < SILENCE_SECONDS
        ):
            await asyncio.sleep(_LOOK_SECONDS)
        os._exit(1)

    async def _open(self) -> None:
        async with self._opening:
            if not self._is_open:
                await self._launcher.__aenter__()
                self._watching = asyncio.create_task(self._watch(), name="outpost-watch")
                self._is_open = True
