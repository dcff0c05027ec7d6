"""A step's process, which a warm parent has forked: settle, wait for an attempt, run it, say its result, end.
After a shared attempt: wait for the next one, unless the step has left something behind.

What a fresh process runs for the first time it pays for: each function, object and type that it touches is on
a page that the kernel has to copy, at some 4 microseconds each. So this path is short, on purpose, from the
fork to the end: what can be done once in the parent is done there, and nothing convenient is used.

The result is said at the very end. A process that ends without it ended by itself (an exit code) or was
killed (a signal). To take a process down takes the kernel a millisecond, and three processes hear of it one
after the other: so one that has said its result closes its pipes, and where nobody else has them the launcher
goes on at once.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # of which `signal` is made; no enums
import _socket  # of which `socket` is made
import _thread
import atexit
import contextlib
import contextvars
import os
import sys
import threading
import traceback
from functools import partial
from typing import Any, NoReturn

from foldline.runtime import bounds, calls, context, kernel, sheets
from foldline.runtime.leftovers import Marks
from foldline.runtime.seeds import SeedWatch
from foldline.runtime.spares import Birth

_environ: dict[bytes, bytes] = vars(os.environ)["_data"]  # noqa: TID251 - of the step's own
"""What is behind os.environ, which goes through four functions for each variable."""

_UNBOUNDED = contextlib.nullcontext()

_NOT_WORTH_BYTES = 1024**2
"""An attempt may have so much more than it began with before the next one's peak is measured anew."""


def main(module: str, bundle: str, birth: Birth, seeds: SeedWatch) -> NoReturn:
    """Runs in the forked child and never returns into the parent's code."""
    code = 1
    is_flushed = False
    try:
        link = birth.link
        _settle(birth, seeds)
        if order := sheets.receive(link):
            # Who is killed before this has not begun: the attempt can be given to another.
            link.send(sheets.BEGUN_BYTES)
            birth.tell_taken()
            if order["is_shared"]:
                code = _take_turns(module, bundle, order, link, seeds)
            else:
                code = _run_alone(module, order, link)
                is_flushed = True
        else:
            code = 0  # it was not needed
    except BaseException:  # noqa: BLE001 - the last line of defence of a process
        traceback.print_exc()
    finally:
        if not is_flushed:
            _flush()
        os._exit(code)


def _settle(birth: Birth, seeds: SeedWatch) -> None:
    """Become a process of its own in everything that a fork shares."""
    os.setsid()
    kernel.die_with_parent(_signal.SIGKILL)
    if os.getppid() != birth.parent:
        os._exit(1)  # the parent died before the kernel knew that it mattered
    kernel.become_subreaper()
    kernel.set_name("foldline-step")
    stdout, stderr, notes = birth.mouths
    for source, target in ((stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    context.enter({}, notes)
    for number in (_signal.SIGCHLD, _signal.SIGTERM, _signal.SIGHUP):
        _signal.signal(number, _signal.SIG_DFL)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    seeds.settle()


def _run_alone(module: str, order: dict[str, Any], link: _socket.socket) -> int:
    this = os.getpid()
    folder = order["folder"]
    _move_in(folder)
    if any(order["limits"].values()):
        bounds.set_for_ever(order["limits"])
    code, outcome = calls.call(module, order, folder, finish=_end_threads, read=partial(_tell_read, link))
    atexit._run_exitfuncs()  # noqa: SLF001 - what was registered since the fork
    _flush()
    # A process that the function forked may come here, too; the result is not its to give.
    if outcome and os.getpid() == this:
        _move_out(folder)
        peak = max(kernel.peak_bytes(), kernel.peak_bytes_of_children())
        sheets.send(link, {**outcome, "max_rss_bytes": peak})
        notes = context.notes()
        os.closerange(1, 3)  # which does not mind that the function may have closed them
        os.closerange(notes, notes + 1)
    return code


def _take_turns(
    module: str, bundle: str, order: dict[str, Any], link: _socket.socket, seeds: SeedWatch
) -> int:
    """Shared attempts, one after the other; returns when this process must not be used again."""
    this = os.getpid()
    home = f"{order['turns']}/{this}"
    os.mkdir(home)  # noqa: PTH102 - quicker, as all else here
    _move_in(home)
    marks = Marks(bundle, home)
    peak, most = 0, -1
    while order:
        _forget_tempdir()
        seeds.settle_again()
        if peak > most:
            kernel.forget_peak()
            most = kernel.peak_bytes() + _NOT_WORTH_BYTES
        marks.set()
        with bounds.lent(order["limits"]) if any(order["limits"].values()) else _UNBOUNDED:
            code, outcome = contextvars.copy_context().run(
                partial(calls.call, finish=_end_threads, read=partial(_tell_read, link)),
                *(module, order, order["folder"]),
            )
        if not outcome or os.getpid() != this:
            return code  # it has called sys.exit, or is a process that the function has forked
        atexit._run_exitfuncs()  # noqa: SLF001 - as above
        _flush()
        taken = bounds.bytes_in(home) if order["limits"]["disk_bytes"] else 0
        left = marks.left()
        context.leave()
        peak = kernel.peak_bytes()
        sheets.send(link, {**outcome, "left": left, "max_rss_bytes": peak, "disk_bytes": taken})
        if left:
            return code
        del outcome
        order = sheets.receive(link)
    return 0


def _tell_read(link: _socket.socket, digests: list[str]) -> None:
    sheets.send(link, {sheets.READ: digests})


def _end_threads() -> None:
    """Wait for threads as Python does at its end: it can do that once, so only where there are some."""
    if _thread._count():  # noqa: SLF001
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001


def _move_in(folder: str) -> None:
    os.chdir(folder)
    place = os.fsencode(folder)
    os.putenv(b"TMPDIR", place)
    _environ[b"TMPDIR"] = place
    _forget_tempdir()


def _forget_tempdir() -> None:
    """What the module tempfile has found out about folders of others."""
    if (tempfile := sys.modules.get("tempfile")) is not None:
        vars(tempfile)["tempdir"] = None


def _move_out(folder: str) -> None:
    """A folder in which nothing is need not be removed by anybody else."""
    os.chdir("/")
    try:  # noqa: SIM105 - suppress() is a class with three functions
        os.rmdir(folder)  # noqa: PTH106 - quicker
    except OSError:
        pass


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 - as above
            stream.flush()
        except Exception:  # noqa: BLE001, S110 - they may be anything
            pass
    kernel.flush_native()
