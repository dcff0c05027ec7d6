"""The launcher's side of one warm parent: its process, its socket, the processes that it has forked."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from foldline.runtime import kernel
from foldline.runtime.jobs import TRACEBACK_LIMIT, Line, StepFailure
from foldline.runtime.pipes import Splitter
from foldline.runtime.processes import Ended, StepProcess

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from foldline.runtime import forks; forks.defer(); from foldline.runtime import parent; parent.main()"
)
TURNS = "turns"
"""Folder of the launcher in which processes that have shared attempts have theirs, by process id."""

LIBRARY = "library"
"""Folder of the launcher that goes on the steps' sys.path; it holds nothing but a link to this package."""

_MESSAGE_BYTES = 120 * 1024
_MOST_DESCRIPTORS = 4
_READ_BYTES = 64 * 1024
_LEAVE_SECONDS = 6.0
_BUSY_SECONDS = 0.005
_GONE = "the warm parent process of the step ended"
_NOTE_SECONDS = 1.0
_IMPORT_LINES = 1000


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
        self.turns = folder / TURNS
        self._link: socket.socket | None = None
        self._output: int | None = None
        self._splitter = Splitter()
        self._processes: dict[int, StepProcess] = {}
        self._spares: collections.deque[StepProcess] = collections.deque()
        """Forked and settled, and given nothing yet."""
        self._killing: set[asyncio.Task[None]] = set()
        self._workers: list[StepProcess] = []
        """Wait for their next shared attempt."""
        self._takers: collections.deque[asyncio.Future[StepProcess | Ended]] = collections.deque()
        self.note_memory()
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

    async def take(self, *, shared: bool) -> StepProcess | Ended:
        """A process for one attempt, or why there is none. For a shared one it may have had others."""
        if self.running <= 1 and time.monotonic() > self._noted + _NOTE_SECONDS:
            self.note_memory()
        for idle in (self._workers, self._spares) if shared else (self._spares,):
            while idle:
                process = idle.pop()
                if not process.has_ended:
                    return process
        if self._link is None:
            return Ended(error=_GONE)
        taker: asyncio.Future[StepProcess | Ended] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        await self._send({"op": "fork"})
        try:
            return await taker
        except asyncio.CancelledError:
            if taker.done() and not taker.cancelled() and isinstance(given := taker.result(), StepProcess):
                self._give(given)
            raise

    def give_back(self, process: StepProcess) -> None:
        """It can take another shared attempt."""
        if process.has_ended or self._link is None:
            process.close()
        else:
            self._workers.append(process)

    def see_off(self, process: StepProcess, patience: float) -> None:
        """It is ending by itself; it is killed if that takes longer than so many seconds."""
        kill = asyncio.get_running_loop().call_later(patience, self._kill, process)

        def close(_: asyncio.Future[Ended]) -> None:
            kill.cancel()
            process.close()

        process.ended.add_done_callback(close)

    def _kill(self, process: StepProcess) -> None:
        killing = asyncio.create_task(self.signal(process, signal.SIGKILL), name="kill a straggler")
        self._killing.add(killing)
        killing.add_done_callback(self._killing.discard)

    async def signal(self, process: StepProcess, number: signal.Signals) -> None:
        """To the whole process group; nothing once it has ended."""
        if not process.has_ended:
            await self._send({"op": "signal", "pid": process.pid, "signal": int(number)})

    def note_memory(self) -> None:
        """Whom the kernel has killed for want of memory until now, it was not who begins to run."""
        self._kills = self._newest = kernel.out_of_memory_kills()
        self._noted = time.monotonic()

    def note_memory_again(self) -> None:
        """Nor who runs still, but for the last moment: it may just be about to end of that."""
        self._kills, self._newest = self._newest, kernel.out_of_memory_kills()
        self._noted = time.monotonic()

    def has_memory_run_out(self) -> bool:
        """Has the kernel killed a process of this machine for want of memory lately?"""
        return kernel.out_of_memory_kills() > self._kills

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
            while self._on_readable():
                pass  # what it said last
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

    def _on_readable(self) -> bool:
        """Take the next message, if there is one; the event loop calls again while there are more."""
        if self._link is None:
            return False
        try:
            data, fds, _, _ = socket.recv_fds(
                self._link, _MESSAGE_BYTES, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return False
        except OSError:
            data, fds = b"", []
        if not data:
            self._hang_up()
            return False
        if not self.ready.done():
            self._read_output()  # what was written before this message was sent comes before it
        self._take(json.loads(data.decode()), fds)
        return True

    def _take(self, message: dict[str, Any], fds: list[int]) -> None:
        match message.pop("op"):
            case "forked":
                process = self._processes[message["pid"]] = StepProcess(message["pid"], fds)
                self._give(process)
            case "ended":
                self._bury(self._processes.pop(message.pop("pid")), Ended(**message))
            case "fork_failed":
                self._answer(Ended(**message))
            case "ready":
                self.ready.set_result(None)
            case "import_failed":
                self.ready.set_result(StepFailure(**message["failure"]))

    def _give(self, process: StepProcess) -> None:
        if not self._answer(process):
            self._spares.append(process)

    def _answer(self, given: StepProcess | Ended) -> bool:
        """To who has waited longest."""
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(given)
                return True
        return False

    def _bury(self, process: StepProcess, how: Ended) -> None:
        process.end(how)
        if process.is_shared:
            folder = self.turns / str(process.pid)
            asyncio.get_running_loop().run_in_executor(
                None, partial(shutil.rmtree, folder, ignore_errors=True)
            )
        for idle in (self._spares, self._workers):
            if process in idle:
                idle.remove(process)
                process.close()

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
        for process in self._processes.values():
            self._bury(process, Ended(error=_GONE))
        self._processes.clear()
        while self._answer(Ended(error=_GONE)):
            pass

    def _last_words(self, code: int) -> str:
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return f"module {self._module} ended its process while it was imported ({how})"

    async def _send(self, message: dict[str, Any]) -> None:
        while self._link is not None:
            try:
                self._link.send(json.dumps(message).encode())
            except BlockingIOError:
                await asyncio.sleep(_BUSY_SECONDS)
            except OSError:
                return  # it is ending; whoever waits is told by _end
            else:
                return
