"""The warm parent: imports the workflow's module once, then forks one child per attempt.

    python -P -c "…; from foldline.runtime import parent; parent.main()" SOCKET BUNDLE MODULE

It speaks JSON over a SOCK_SEQPACKET socketpair. In: `{"op": "start", "id", "folder"}` with five descriptors
(`child.DESCRIPTORS`) and `{"op": "signal", "id", "signal"}`. Out: ready, import_failed, started, ended.
Single-threaded on purpose: fork and threads do not mix.

Law: nothing that an attempt started outlives it (0.5 s for what is just tidying up), and no attempt outlives
this process, nor this process the one that started it. So it is a subreaper: whatever a dead attempt leaves
behind becomes its child, and children that are no attempts are killed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import warnings
from typing import Any, NoReturn

from foldline.runtime import child, failures, kernel
from foldline.runtime.seeds import SeedWatch

ORPHAN_SECONDS = 0.5
"""For the helpers of a step (resource trackers and the like) to tidy up after it."""

_LEAVE_SECONDS = 5.0
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> NoReturn:
    """Import, say so, serve until the socket closes."""
    fd, bundle, module = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    sys.argv = ["foldline-step"]
    link = socket.socket(fileno=fd)
    os.set_inheritable(fd, False)
    # While the author's code is imported this process may be deaf to anything milder.
    kernel.die_with_parent(signal.SIGKILL)
    kernel.set_name("foldline-parent")
    sys.path.insert(0, bundle)
    with SeedWatch() as seeds:
        try:
            importlib.import_module(module)
        except BaseException as error:  # noqa: BLE001 - whatever the author's module raises is the answer
            failure = dataclasses.asdict(failures.import_failed(module, error))
            _flush()
            link.send(json.dumps({"op": "import_failed", "failure": failure}).encode())
            os._exit(0)
    _flush()
    kernel.become_subreaper()
    kernel.die_with_parent(signal.SIGTERM)
    # What is loaded now is shared with all children; the collector would touch, and so copy, all of it.
    gc.collect()
    gc.freeze()
    Parent(link, module, seeds).serve()


class Parent:
    """The loop: requests from the launcher, deaths of children."""

    def __init__(self, link: socket.socket, module: str, seeds: SeedWatch) -> None:
        self._link = link
        self._module = module
        self._seeds = seeds
        self._attempts: dict[int, int] = {}
        """Process id to the launcher's id."""
        self._helpers = kernel.children()
        """Started by the import of the module: none of any attempt's business."""
        self._condemned: dict[int, float] = {}
        """Orphans, and when each is killed."""
        self._leaving = False

    def serve(self) -> NoReturn:
        wake = self._listen_to_signals()
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        poll.register(wake, select.POLLIN)
        self._tell({"op": "ready"})
        while not self._leaving:
            for fd, _ in poll.poll(self._patience()):
                if fd == wake:
                    _drain(wake)
                else:
                    self._take_request()
            self._reap()
            self._kill_orphans()
        self._leave()

    def _listen_to_signals(self) -> int:
        wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in _STOPPING:
            signal.signal(number, self._on_stop)
        return wake

    def _on_stop(self, *_: object) -> None:
        self._leaving = True

    def _patience(self) -> int | None:
        """Milliseconds until an orphan is due."""
        if not self._condemned:
            return None
        return max(0, int((min(self._condemned.values()) - time.monotonic()) * 1000) + 1)

    def _take_request(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._link, 65536, child.DESCRIPTORS)
        except OSError:
            data, fds = b"", []
        if not data:
            self._leaving = True  # the launcher is gone
            return
        request = json.loads(data)
        if request["op"] == "start":
            self._start(request["id"], request["folder"], fds)
        else:
            self._signal(request["id"], request["signal"])

    def _start(self, number: int, folder: str, fds: list[int]) -> None:
        _flush()
        # A signal for the child that comes before it is ready to die of it must wait.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            pid = _fork()
        except OSError as error:
            self._tell({"op": "ended", "id": number, "error": f"fork failed: {error}"})
            return
        else:
            if pid == 0:
                self._link.close()
                child.main(self._module, folder, fds, self._seeds)
        finally:
            for fd in fds:
                os.close(fd)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        self._attempts[pid] = number
        self._tell({"op": "started", "id": number, "pid": pid})

    def _signal(self, number: int, which: int) -> None:
        """To the whole process group. The pid cannot have been reused: it is reaped only here."""
        for pid, known in self._attempts.items():
            if known == number:
                _kill_group(pid, which)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait3(os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._condemned.pop(pid, None)
            number = self._attempts.pop(pid, None)
            if number is not None:
                self._tell(
                    {
                        "op": "ended",
                        "id": number,
                        "status": os.waitstatus_to_exitcode(status),
                        "max_rss_bytes": usage.ru_maxrss * 1024,
                    }
                )

    def _kill_orphans(self) -> None:
        orphans = kernel.children() - self._helpers - self._attempts.keys()
        now = time.monotonic()
        for pid in orphans:
            if self._condemned.setdefault(pid, now + ORPHAN_SECONDS) <= now:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._condemned = {pid: due for pid, due in self._condemned.items() if pid in orphans}

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._link.send(json.dumps(message).encode())
        except OSError:
            self._leaving = True

    def _leave(self) -> NoReturn:
        """Kill everything below, again and again while new orphans arrive, and end."""
        deadline = time.monotonic() + _LEAVE_SECONDS
        for pid in self._attempts:
            _kill_group(pid, signal.SIGKILL)
        while (below := kernel.children()) and time.monotonic() < deadline:
            for pid in below:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.wait()
        os._exit(0)


def _fork() -> int:
    with warnings.catch_warnings():
        # Threads that libraries started at import (BLAS) know how to live through a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _kill_group(pid: int, which: int) -> None:
    try:
        os.killpg(pid, which)
    except ProcessLookupError:
        # Between its fork and its setsid the child is in no group of its own yet.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, which)


def _drain(fd: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
