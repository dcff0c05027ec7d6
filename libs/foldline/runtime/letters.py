"""A desk for one job that is spoken with through files, where nothing but a shared file system connects us.

In a folder of the job's own:

    order      the job, and the environment of its steps (pickled by us, so it must be us who write there)
    messages   those of `remote`, one a line, appended
    wish       the newest stop: {"number", "grace_seconds", "forced"}
    pulse      a number that the reader changes all the time, and how many bytes of `messages` it has read

While much is unread the desk waits, and the step with it. When the pulse stops the reader has gone, and so
the desk ends the job and itself. `python -P -c BOOT LIBRARY FOLDER` runs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from foldline.runtime.jobs import Job
from foldline.runtime.remote import Desk, Message

BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from foldline.runtime import letters; letters.main()"

PULSE_SECONDS = 1.0
SILENCE_SECONDS = 30.0
UNREAD_BYTES = 32 * 1024**2

_LOOK_SECONDS = 0.1
_READ_BYTES = 1024**2

INHERITED = ("CUDA_VISIBLE_DEVICES",)
"""What whoever starts the desk says of the place, and steps have to know."""


class Reader:
    """The side of whoever has the job carried out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = 0
        self._beats = 0
        self._wishes = 0

    def lay_out(self, job: Job, environ: Mapping[str, str]) -> None:
        self._folder.mkdir(parents=True)
        (self._folder / "messages").touch()
        self.beat()
        _put(self._folder / "order", pickle.dumps((job, dict(environ))))

    def beat(self) -> None:
        self._beats += 1
        _put(self._folder / "pulse", f"{self._beats} {self._read}".encode())

    def wish(self, grace_seconds: float | None, forced: bool) -> None:
        self._wishes += 1
        wish = {"number": self._wishes, "grace_seconds": grace_seconds, "forced": forced}
        _put(self._folder / "wish", json.dumps(wish).encode())

    async def messages(self, is_over: asyncio.Event) -> AsyncIterator[Message]:
        """As they come; `is_over` says that no more will."""
        rest = b""
        with (self._folder / "messages").open("rb", buffering=0) as file:
            while True:
                last = is_over.is_set()
                data = await asyncio.to_thread(file.read, _READ_BYTES)
                if not data:
                    if last:
                        return
                    await _wait(is_over)
                    continue
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    yield json.loads(line)
                self._read += len(data)
                self.beat()


def main() -> None:
    import sys

    os._exit(asyncio.run(_serve(Path(sys.argv[1]))))


async def _serve(folder: Path) -> int:
    from foldline.runtime.launcher import Launcher

    job, environ = pickle.loads((folder / "order").read_bytes())  # noqa: S301 - our own words
    around = {name: os.environ[name] for name in INHERITED if name in os.environ}  # noqa: TID251 - the place's
    async with Launcher(folder / "launcher", environ={**environ, **around}) as launcher:
        desk = Desk(launcher)
        desk.begin(job)
        pulse = _Pulse(folder / "pulse")
        telling = asyncio.create_task(_tell(desk, job.key, folder / "messages", pulse))
        watching = asyncio.create_task(_watch(desk, job.key, folder / "wish", pulse))
        await asyncio.wait({telling, watching}, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        if not telling.done():
            telling.cancel()
            await desk.kill(job.key)
            return 1
        telling.result()
    return 0


class _Pulse:
    """As the desk feels it, by its own clock."""

    def __init__(self, file: Path) -> None:
        self.read = 0
        self._file = file
        self._last = b""
        self._since = time.monotonic()

    def feel(self) -> bool:
        """Is the reader still there?"""
        now = time.monotonic()
        if (found := _get(self._file)) and found != self._last:
            self._last, self._since = found, now
            self.read = int(found.split()[1])
        return now - self._since < SILENCE_SECONDS


async def _tell(desk: Desk, key: str, file: Path, pulse: _Pulse) -> None:
    written, is_over = 0, False
    with file.open("ab", buffering=0) as out:
        while not is_over:
            messages = await desk.messages(key)
            is_over = "ended" in messages[-1]
            text = "".join(json.dumps(message) + "\n" for message in messages).encode()
            await asyncio.to_thread(out.write, text)
            written += len(text)
            while written - pulse.read > UNREAD_BYTES and not is_over:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(_LOOK_SECONDS)


async def _watch(desk: Desk, key: str, file: Path, pulse: _Pulse) -> None:
    """Returns when nobody is there any more who could wish anything."""
    heard = 0
    while pulse.feel():
        wish: dict[str, Any] = json.loads(_get(file) or b"{}")
        if wish.get("number", 0) > heard and desk.stop(key, wish["grace_seconds"], wish["forced"]):
            heard = wish["number"]
        await asyncio.sleep(_LOOK_SECONDS)


async def _wait(event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await event.wait()
    except TimeoutError:
        return


def _put(file: Path, content: bytes) -> None:
    """Whole or not at all."""
    partial = file.with_name(f"{file.name}.new")
    partial.write_bytes(content)
    partial.replace(file)


def _get(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
