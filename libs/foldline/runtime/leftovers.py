"""What a function has left behind in its process, found by comparing before and after: cheap enough for steps
that take a millisecond.

Not everything can be seen. Inside the module's own containers only a changed length is; state that a library
keeps for itself is not. So a shared step is declared pure by its author, and this catches mistakes.
"""

from __future__ import annotations

import _locale  # of which `locale` is made
import _signal  # type: ignore[import-not-found]  # of which `signal` is made; no enums
import _thread
import os
import resource
import shutil
import signal
import socket
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from foldline.runtime import kernel

_SIGNALS = sorted(map(int, signal.valid_signals()))
_LIMITS = sorted({number for name, number in vars(resource).items() if name.startswith("RLIMIT_")})
_CONTAINERS = (list, dict, set, bytearray)
_MOST_NAMES = 5

_environ: dict[bytes, bytes] = vars(os.environ)["_data"]  # noqa: TID251 - of the step's own


class Marks:
    """Of one process that runs attempts of the bundle's modules one after the other."""

    def __init__(self, bundle: str, home: str) -> None:
        """`home` is the folder in which they work: what is in it afterwards is removed."""
        self._home = home
        self._bundle = bundle.rstrip("/") + "/"
        self._modules: dict[str, ModuleType] = {}
        self._count = 0
        self._state: tuple[Any, ...] = ()
        self._globals: dict[str, dict[str, Any]] = {}
        self._filters: list[Any] = []

    def set(self) -> None:
        """Before an attempt. What was found to be as before need not be looked at again."""
        if len(sys.modules) == self._count:
            return
        self._find_modules()
        self._state = _state()
        self._globals = {name: _names(module) for name, module in self._modules.items()}
        self._filters = list(warnings.filters)

    def left(self) -> list[str]:
        """What is not as it was, in words; nothing for a function that left nothing."""
        try:
            return self._left()
        except OSError as error:
            return [f"too little to look around with ({error})"]

    def _left(self) -> list[str]:
        found = []
        if (now := _state()) != self._state:
            pairs = zip(_NAMES, self._state, now, strict=True)
            found += [name for name, before, after in pairs if before != after]
        for name, before in self._globals.items():
            if changed := _changed(before, vars(self._modules[name])):
                found.append(f"changed globals of module {name}: {', '.join(changed)}")
        if warnings.filters != self._filters and len(sys.modules) == self._count:
            # Where a module was imported just now they are its.
            found.append("warning filters")
        if os.listdir(self._home):  # noqa: PTH208 - quicker
            clear(self._home)
        return found

    def _find_modules(self) -> None:
        self._count = len(sys.modules)
        self._modules = {
            name: module
            for name, module in list(sys.modules.items())
            if (getattr(module, "__file__", None) or "").startswith(self._bundle)
        }


def _state() -> tuple[Any, ...]:
    """Everything that is compared, in the order of its names. Each attempt pays for each line of this."""
    return (
        os.getcwd(),  # noqa: PTH109 - quicker
        _environ.copy(),
        [*map(_signal.getsignal, _SIGNALS)],
        _signal.pthread_sigmask(_signal.SIG_BLOCK, ()),
        _signal.getitimer(_signal.ITIMER_REAL) != (0.0, 0.0),
        _thread._count(),  # noqa: SLF001 - those of no Thread object, too
        kernel.children() if kernel.has_children() else None,
        os.listdir("/proc/self/fd"),  # noqa: PTH208 - quicker; the kernel has them in order
        [(one.st_dev, one.st_ino) for one in map(os.fstat, (0, 1, 2))],
        (id(sys.stdin), id(sys.stdout), id(sys.stderr)),
        _umask(),
        sys.path.copy(),
        (sys.gettrace(), sys.getprofile(), sys.excepthook, sys.displayhook),
        sys.getrecursionlimit(),
        _locale.setlocale(_locale.LC_ALL),
        [*map(resource.getrlimit, _LIMITS)],
        os.getpriority(os.PRIO_PROCESS, 0),
        os.sched_getaffinity(0),
        socket.getdefaulttimeout(),
    )


_NAMES = (
    "another working folder",
    "changed environment variables",
    "signal handlers",
    "blocked signals",
    "a timer",
    "threads",
    "child processes",
    "open descriptors",
    "other standard streams",
    "replaced sys.stdin, stdout or stderr",
    "another umask",
    "a changed sys.path",
    "hooks of the interpreter",
    "another recursion limit",
    "another locale",
    "resource limits",
    "another priority",
    "other processors",
    "a default timeout of sockets",
)
"""What is said of each that is not as before."""


def clear(folder: str) -> None:
    """Remove what is in the folder."""
    for path in Path(folder).iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _names(module: ModuleType) -> dict[str, Any]:
    """Each global with its length where it is a container: what it holds may be very much."""
    return {
        name: (value, len(value) if type(value) in _CONTAINERS else 0)
        for name, value in vars(module).items()
        if name != "__builtins__"
    }


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    found = []
    for name, (value, length) in before.items():
        if name not in now or now[name] is not value:
            found.append(name)
        elif length != (len(value) if type(value) in _CONTAINERS else 0):
            found.append(name)
    found += [name for name in now if name not in before and name != "__builtins__"]
    return found[:_MOST_NAMES]
