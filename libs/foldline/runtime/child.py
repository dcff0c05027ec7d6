"""A step's process, which a warm parent has forked: settle, wait for an attempt, run it, say its result, end.
After a shared attempt: wait for the next one, unless the step has left something behind.

The result is said at the very end, and the launcher looks for it after this process has ended. A process that
ends without it ended by itself (an exit code) or was killed (a signal).
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import faulthandler
import os
import resource
import signal
import socket
import sys
import threading
import traceback
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from foldline.runtime import bounds, calls, context, kernel, sheets
from foldline.runtime.jobs import Facts
from foldline.runtime.leftovers import Marks
from foldline.runtime.seeds import SeedWatch
from foldline.runtime.spares import Birth


def main(module: str, bundle: str, birth: Birth, seeds: SeedWatch) -> NoReturn:
    """Runs in the forked child and never returns into the parent's code."""
    code = 1
    try:
        link = socket.socket(fileno=birth.link)
        _settle(birth, seeds)
        if order := sheets.receive(link):
            # Who is killed before this has not begun: the attempt can be given to another.
            sheets.send(link, sheets.BEGUN)
            birth.tell_taken()
            if order["is_shared"]:
                code = _take_turns(module, bundle, order, link, seeds)
            else:
                code = _run_alone(module, order, link)
        else:
            code = 0  # it was not needed
    except BaseException:  # noqa: BLE001 - the last line of defence of a process
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _settle(birth: Birth, seeds: SeedWatch) -> None:
    """Become a process of its own in everything that a fork shares."""
    guardian = os.getppid()
    os.setsid()
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != guardian:
        os._exit(1)  # the parent died before the kernel knew that it mattered
    kernel.become_subreaper()
    kernel.set_name("foldline-step")
    _take_descriptors(birth)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # A core of a process with a gigabyte of data would take longer than the attempt did.
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    # What the module registered at import is the parent's to end, not each attempt's.
    atexit._clear()  # noqa: SLF001
    seeds.settle()


def _take_descriptors(birth: Birth) -> None:
    stdout, stderr, notes = birth.mouths
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    context.enter(Facts(), notes)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # the module may have put something else there
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable(file=2)


def _run_alone(module: str, order: dict[str, Any], link: socket.socket) -> int:
    this = os.getpid()
    folder = Path(order["folder"])
    _move_in(folder)
    bounds.set_for_ever(order["limits"])
    # What Python does at its end.
    finish = threading._shutdown  # type: ignore[attr-defined]  # noqa: SLF001
    code, outcome = calls.call(module, order, folder, finish=finish, read=partial(_tell_read, link))
    atexit._run_exitfuncs()  # noqa: SLF001 - what was registered since the fork
    _flush()
    # A process that the function forked may come here, too; the result is not its to give.
    if outcome and os.getpid() == this:
        _move_out(folder)
        sheets.send(link, outcome)
    return code


def _take_turns(
    module: str, bundle: str, order: dict[str, Any], link: socket.socket, seeds: SeedWatch
) -> int:
    """Shared attempts, one after the other; returns when this process must not be used again."""
    this = os.getpid()
    home = Path(order["turns"]) / str(this)
    home.mkdir()
    marks = Marks(bundle, home)
    while order:
        _move_in(home)
        seeds.settle_again()
        kernel.forget_peak()
        marks.set()
        with bounds.lent(order["limits"]):
            code, outcome = contextvars.copy_context().run(
                partial(calls.call, finish=_end_threads, read=partial(_tell_read, link)),
                *(module, order, Path(order["folder"])),
            )
        if not outcome or os.getpid() != this:
            return code  # it has called sys.exit, or is a process that the function has forked
        atexit._run_exitfuncs()  # noqa: SLF001 - as above
        _flush()
        taken = bounds.bytes_in(home) if order["limits"]["disk_bytes"] else 0
        left = marks.left()
        context.leave()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        sheets.send(link, {**outcome, "left": left, "max_rss_bytes": peak, "disk_bytes": taken})
        if left:
            return code
        del outcome
        order = sheets.receive(link)
    return 0


def _tell_read(link: socket.socket, digests: list[str]) -> None:
    sheets.send(link, {sheets.READ: digests})


def _end_threads() -> None:
    """Wait for threads as Python does at its end: it can do that once, so only where there are some."""
    if threading.active_count() > 1:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001


def _move_in(folder: Path) -> None:
    os.chdir(folder)
    os.environ["TMPDIR"] = str(folder)  # noqa: TID251 - the step's own environment is made here
    if (tempfile := sys.modules.get("tempfile")) is not None:
        vars(tempfile)["tempdir"] = None


def _move_out(folder: Path) -> None:
    """A folder in which nothing is need not be removed by anybody else."""
    os.chdir("/")
    with contextlib.suppress(OSError):
        folder.rmdir()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    kernel.flush_native()
