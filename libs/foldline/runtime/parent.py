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

import _socket  # of which `socket` is made
import array
import atexit
import contextlib
import dataclasses
import faulthandler
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from foldline.runtime import child, failures, kernel
from foldline.runtime.rehearsal import rehearse
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
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, fd)
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
    _prepare()
    # What is loaded now is shared with all children; the collector would touch, and so copy, all of it.
    gc.collect()
    gc.freeze()
    Parent(link, bundle, module, seeds).serve()


def _prepare() -> None:
    """Put right once, for all children, what the module may have left behind."""
    null = os.open(os.devnull, os.O_RDONLY)
    if null != 0:
        os.dup2(null, 0)
        os.close(null)
    os.set_inheritable(0, True)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the module may have put anything there, or closed it
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable(file=2)
    # A core of a process with a gigabyte of data would take longer than the attempt did.
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    # What the module registered at import is the parent's to end, not each attempt's; and it ends without.
    atexit._clear()  # noqa: SLF001
    rehearse()


class Parent:
    """The loop: requests from the launcher, deaths of children."""

    def __init__(self, link: _socket.socket, bundle: str, module: str, seeds: SeedWatch) -> None:
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
        self._tell(b'{"op": "ready"}')
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
        patience = self._spares.patience
        if self._condemned:
            next_due = max(0.0, min(self._condemned.values()) - time.monotonic())
            patience = next_due if patience is None else min(patience, next_due)
        return None if patience is None else int(patience * 1000) + 1

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
                self._tell(json.dumps({"op": "fork_failed", "error": f"fork failed: {error}"}).encode())
            return
        self._children.add(pid)
        self._tell(b'{"op": "forked", "pid": %d}' % pid, ears)
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
                    b'{"op": "ended", "pid": %d, "status": %d, "max_rss_bytes": %d}'
                    % (pid, os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024)
                )
        if is_anybody_dead:
            self._kill_orphans()

    def _kill_orphans(self) -> None:
        orphans = kernel.children() - self._helpers - self._children
        if not orphans and not self._condemned:
            return
        now = time.monotonic()
        for pid in orphans:
            if self._condemned.setdefault(pid, now + ORPHAN_SECONDS) <= now:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._condemned = {pid: due for pid, due in self._condemned.items() if pid in orphans}

    def _tell(self, message: bytes, fds: Sequence[int] = ()) -> None:
        rights = array.array("i", fds)
        try:
            self._link.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if fds else ())
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
    try:
        while len(os.read(fd, 4096)) == 4096:  # otherwise it is empty
            pass
    except BlockingIOError:
        pass


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 - suppress() is a class with three functions; see `child`
            stream.flush()
        except Exception:  # noqa: BLE001, S110 - the module may have put anything there
            pass
