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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from foldline.runtime import kernel

_SIGNALS = sorted(map(int, signal.valid_signals()))
_LIMITS = sorted({number for name, number in vars(resource).items() if name.startswith("RLIMIT_")})
_CONTAINERS = (list, dict, set, bytearray)
_MOST_NAMES = 5


@dataclass(slots=True)
class _Mark:
    """One kind of thing that a function can leave: what it is called, and what it was like before."""

    name: str
    value: Any


class Marks:
    """Of one process that runs attempts of the bundle's modules one after the other."""

    def __init__(self, bundle: str, home: str) -> None:
        """`home` is the folder in which they work: what is in it afterwards is removed."""
        self._home = home
        self._bundle = bundle.rstrip("/") + "/"
        self._modules: dict[str, ModuleType] = {}
        self._count = 0
        self._marks: list[_Mark] = []
        self._globals: dict[str, dict[str, Any]] = {}
        self._filters: list[Any] = []

    def set(self) -> None:
        """Before an attempt. What was found to be as before need not be looked at again."""
        if len(sys.modules) == self._count:
            return
        self._find_modules()
        self._marks = [_Mark(name, value) for name, value in _state()]
        self._globals = {name: _names(module) for name, module in self._modules.items()}
        self._filters = list(warnings.filters)

    def left(self) -> list[str]:
        """What is not as it was, in words; nothing for a function that left nothing."""
        try:
            return self._left()
        except OSError as error:
            return [f"too little to look around with ({error})"]

    def _left(self) -> list[str]:
        found = [
            mark.name for mark, (_, value) in zip(self._marks, _state(), strict=True) if mark.value != value
        ]
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


def _state() -> Iterator[tuple[str, Any]]:
    """Name and value of everything that is compared."""
    yield "another working folder", os.getcwd()  # noqa: PTH109 - quicker
    yield "changed environment variables", vars(os.environ)["_data"].copy()  # noqa: TID251 - of the step's own
    yield "signal handlers", [_signal.getsignal(number) for number in _SIGNALS]
    yield "blocked signals", _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
    yield "a timer", _signal.getitimer(_signal.ITIMER_REAL) != (0.0, 0.0)
    yield "threads", _thread._count()  # noqa: SLF001 - those of no Thread object, too
    yield "child processes", kernel.children()
    yield "open descriptors", _descriptors()
    yield "other standard streams", [(one.st_dev, one.st_ino) for one in map(os.fstat, (0, 1, 2))]
    yield "replaced sys.stdin, stdout or stderr", [id(sys.stdin), id(sys.stdout), id(sys.stderr)]
    yield "another umask", _umask()
    yield "a changed sys.path", list(sys.path)
    yield "hooks of the interpreter", [sys.gettrace(), sys.getprofile(), sys.excepthook, sys.displayhook]
    yield "another recursion limit", sys.getrecursionlimit()
    yield "another locale", _locale.setlocale(_locale.LC_ALL)
    yield "resource limits", [resource.getrlimit(number) for number in _LIMITS]
    yield "another priority", os.getpriority(os.PRIO_PROCESS, 0)
    yield "other processors", os.sched_getaffinity(0)
    yield "a default timeout of sockets", socket.getdefaulttimeout()


def clear(folder: str) -> None:
    """Remove what is in the folder."""
    for path in Path(folder).iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - quicker


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
