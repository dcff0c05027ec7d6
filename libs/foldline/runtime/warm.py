"""The launcher's side of one warm parent: its process, its socket, the attempts that it carries."""

from __future__ import annotations

import asyncio
import collections
import itertools
import json
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foldline.runtime.jobs import TRACEBACK_LIMIT, Line, StepFailure
from foldline.runtime.pipes import Splitter

_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from foldline.runtime import parent; parent.main()"
LIBRARY = "library"
"""Folder of the launcher that goes on the steps' sys.path; it holds nothing but a link to this package."""

_MESSAGE_BYTES = 256 * 1024
_READ_BYTES = 64 * 1024
_LEAVE_SECONDS = 6.0
_BUSY_SECONDS = 0.005
_GONE = "the warm parent process of the step ended"
_IMPORT_LINES = 1000


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: an exit code (a negative one is a signal), or an `error` of the platform."""

    status: int = 0
    max_rss_bytes: int = 0
    error: str = ""


@dataclass(slots=True)
class Child:
    """One attempt's process, as the parent tells of it."""

    number: int
    started: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    ended: asyncio.Future[Ended] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, how: Ended) -> None:
        if not self.started.done():
            self.started.set_result(0)
        if not self.ended.done():
            self.ended.set_result(how)


class WarmParent:
    """Opened by its constructor; `ready` says when children can be had, or why never."""

    def __init__(
        self, python: Path, bundle: Path, module: str, folder: Path, environ: Mapping[str, str]
    ) -> None:
        self.ready: asyncio.Future[StepFailure | None] = asyncio.get_running_loop().create_future()
        self.waiting = 0
        self.running = 0
        self.last_used = time.monotonic()
        self.import_lines: collections.deque[Line] = collections.deque(maxlen=_IMPORT_LINES)
        self._module = module
        self._command = [str(python), "-P", "-c", _BOOT, str(folder / LIBRARY)]
        self._arguments = [str(bundle), module]
        self._folder = folder
        self._environ = environ
        self._link: socket.socket | None = None
        self._output: int | None = None
        self._splitter = Splitter()
        self._children: dict[int, Child] = {}
        self._numbers = itertools.count(1)
        self._life = asyncio.create_task(self._live(), name="warm-parent")

    @property
    def is_ready(self) -> bool:
        return self.ready.done() and self.ready.result() is None

    @property
    def is_usable(self) -> bool:
        """Ready, and with a process behind it."""
        return self.is_ready and self._link is not None

    @property
    def is_idle(self) -> bool:
        return self.ready.done() and not self.running and not self.waiting

    async def start(self, folder: Path, fds: Sequence[int]) -> Child:
        """Fork a child that works in `folder`; `fds` are what `child.DESCRIPTORS` names."""
        child = Child(next(self._numbers))
        if self._link is None:
            child.end(Ended(error=_GONE))
            return child
        self._children[child.number] = child
        await self._send({"op": "start", "id": child.number, "folder": str(folder)}, fds)
        return child

    async def signal(self, child: Child, number: signal.Signals) -> None:
        """To the child's whole process group; nothing once it has ended."""
        if not child.ended.done():
            await self._send({"op": "signal", "id": child.number, "signal": int(number)}, ())

    async def close(self) -> None:
        """End the process, and with it whatever it carries."""
        self._hang_up()
        patience = _LEAVE_SECONDS if self.is_ready else 0.0
        _, late = await asyncio.wait({self._life}, timeout=patience)
        for task in late:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await self._life

    async def _live(self) -> None:
        """From start to end of the process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        output, mouth = os.pipe()
        os.set_blocking(output, False)
        try:
            try:
                process = await self._spawn(theirs.fileno(), mouth)
            finally:
                theirs.close()
                os.close(mouth)
        except OSError as error:
            ours.close()
            os.close(output)
            self._end("infrastructure", "ENVIRONMENT_FAILED", f"{self._command[0]} does not start: {error}")
            return
        self._link, self._output = ours, output
        asyncio.get_running_loop().add_reader(ours, self._on_readable)
        asyncio.get_running_loop().add_reader(output, self._read_output)
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._on_readable()  # what it said last
            self._hang_up()
            self._end("user", "STEP_IMPORT_FAILED", self._last_words(process.returncode or 0))

    async def _spawn(self, fd: int, output: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command,
            str(fd),
            *self._arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[fd],
            start_new_session=True,
            cwd=self._folder,
            env=self._environ,
        )

    def _read_output(self) -> None:
        """All that is in the pipe now. After the import there is nothing to expect."""
        while self._output is not None:
            try:
                data = os.read(self._output, _READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self._stop_reading()
                return
            self.import_lines.extend(Line("stdout", text) for text in self._splitter.feed(data))

    def _stop_reading(self) -> None:
        if self._output is not None:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = None
            self.import_lines.extend(Line("stdout", text) for text in self._splitter.end())

    def _on_readable(self) -> None:
        while self._link is not None:
            try:
                data = self._link.recv(_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._hang_up()
                return
            # What was written before this message was sent comes before it.
            self._read_output()
            self._take(json.loads(data))

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"op": "ready"}:
                self.ready.set_result(None)
            case {"op": "import_failed", "failure": failure}:
                self.ready.set_result(StepFailure(**failure))
            case {"op": "started", "id": number, "pid": pid}:
                self._children[number].started.set_result(pid)
            case {"op": "ended", "id": number, **how}:
                self._children.pop(number).end(Ended(**how))

    def _hang_up(self) -> None:
        if self._link is not None:
            asyncio.get_running_loop().remove_reader(self._link)
            self._link.close()
            self._link = None
        self._read_output()
        self._stop_reading()

    def _end(self, kind: str, reason: str, message: str) -> None:
        """The process is gone: nobody may wait for it any longer."""
        if not self.ready.done():
            trace = "\n".join(line.text for line in self.import_lines)[-TRACEBACK_LIMIT:]
            self.ready.set_result(StepFailure(kind=kind, reason=reason, message=message, traceback=trace))
        for child in self._children.values():
            child.end(Ended(error=_GONE))
        self._children.clear()

    def _last_words(self, code: int) -> str:
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return f"module {self._module} ended its process while it was imported ({how})"

    async def _send(self, message: dict[str, Any], fds: Sequence[int]) -> None:
        while self._link is not None:
            try:
                socket.send_fds(self._link, [json.dumps(message).encode()], list(fds))
            except BlockingIOError:
                await asyncio.sleep(_BUSY_SECONDS)
            except OSError:
                return  # it is ending; whoever waits is told by _end
            else:
                return
