"""The warm parent: imports the workflow's module once, then forks the processes of its attempts.

    python -P -c "…; from foldline.runtime import parent; parent.main()" SOCKET BUNDLE MODULE

It speaks JSON over a SOCK_SEQPACKET socketpair. In: `{"op": "fork"}` and `{"op": "signal", "pid", "signal"}`.
Out: ready, import_failed, ended, fork_failed, and `{"op": "forked", "pid"}` with the launcher's ends of the
child's socket and pipes: an attempt goes from the launcher to the child directly.
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
from collections.abc import Sequence
from typing import Any, NoReturn

from foldline.runtime import child, failures, kernel
from foldline.runtime.seeds import SeedWatch
from foldline.runtime.spares import Birth, Spares

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
    Parent(link, bundle, module, seeds).serve()


class Parent:
    """The loop: requests from the launcher, deaths of children."""

    def __init__(self, link: socket.socket, bundle: str, module: str, seeds: SeedWatch) -> None:
        self._link = link
        self._module = module
        self._seeds = seeds
        self._bundle = bundle
        self._children: set[int] = set()
        self._spares = Spares(self._begin, _STOPPING)
        self._wakers: tuple[int, ...] = ()
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
        poll.register(self._spares.ears, select.POLLIN)
        self._tell({"op": "ready"})
        while not self._leaving:
            for fd, _ in poll.poll(self._patience()):
                if fd == wake:
                    _drain(wake)
                    self._reap()
                elif fd == self._spares.ears:
                    self._spares.take_notice()
                else:
                    self._take_request()
            if self._condemned:
                self._kill_orphans()
            if self._spares.is_due and not self._leaving:
                self._fork(asked=False)
        self._leave()

    def _listen_to_signals(self) -> int:
        wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakers = (wake, waker)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in _STOPPING:
            signal.signal(number, self._on_stop)
        return wake

    def _on_stop(self, *_: object) -> None:
        self._leaving = True

    def _patience(self) -> int | None:
        """Milliseconds until an orphan or a spare is due."""
        now = time.monotonic()
        waits = [due - now for due in self._condemned.values()]
        if (patience := self._spares.patience) is not None:
            waits.append(patience)
        return max(0, int(min(waits) * 1000) + 1) if waits else None

    def _take_request(self) -> None:
        try:
            data = self._link.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._leaving = True  # the launcher is gone
            return
        request = json.loads(data)
        if request["op"] == "fork":
            self._fork(asked=True)
        elif request["pid"] in self._children:
            # The pid cannot have been reused: it is reaped only here.
            _kill_group(request["pid"], request["signal"])

    def _fork(self, *, asked: bool) -> None:
        _flush()
        try:
            pid, ears = self._spares.fork()
        except OSError as error:
            if asked:
                self._tell({"op": "fork_failed", "error": f"fork failed: {error}"})
            return
        self._children.add(pid)
        self._tell({"op": "forked", "pid": pid}, ears)
        for fd in ears:
            os.close(fd)

    def _begin(self, birth: Birth) -> NoReturn:
        """In the child: nothing of the parent's stays open."""
        signal.set_wakeup_fd(-1)
        self._link.close()
        for fd in self._wakers:
            os.close(fd)
        child.main(self._module, self._bundle, birth, self._seeds)

    def _reap(self) -> None:
        """The dead, and what they leave behind: it has become ours in the same moment."""
        is_anybody_dead = False
        while True:
            try:
                pid, status, usage = os.wait3(os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            is_anybody_dead = True
            self._condemned.pop(pid, None)
            if pid in self._children:
                self._children.remove(pid)
                self._spares.bury(pid)
                self._tell(
                    {
                        "op": "ended",
                        "pid": pid,
                        "status": os.waitstatus_to_exitcode(status),
                        "max_rss_bytes": usage.ru_maxrss * 1024,
                    }
                )
        if is_anybody_dead:
            self._kill_orphans()

    def _kill_orphans(self) -> None:
        orphans = kernel.children() - self._helpers - self._children
        now = time.monotonic()
        for pid in orphans:
            if self._condemned.setdefault(pid, now + ORPHAN_SECONDS) <= now:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._condemned = {pid: due for pid, due in self._condemned.items() if pid in orphans}

    def _tell(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        try:
            socket.send_fds(self._link, [json.dumps(message).encode()], list(fds))
        except OSError:
            self._leaving = True

    def _leave(self) -> NoReturn:
        """Kill everything below, again and again while new orphans arrive, and end."""
        deadline = time.monotonic() + _LEAVE_SECONDS
        for pid in self._children:
            _kill_group(pid, signal.SIGKILL)
        while (below := kernel.children()) and time.monotonic() < deadline:
            for pid in below:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.wait()
        os._exit(0)


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
