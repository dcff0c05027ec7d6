"""Small programs for the supervisor to keep."""

from __future__ import annotations

import sys
from pathlib import Path

from foldline.cli.stack.keeper import Condition, Program

PATIENT = "import signal; print('up', flush=True); signal.pause()"
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('up', flush=True)
while True:
    signal.pause()
"""
FORKING = f"""
import signal, subprocess, sys
print(subprocess.Popen([sys.executable, '-c', {PATIENT!r}]).pid, flush=True)
signal.pause()
"""
CRASHING = "print('crashing', flush=True); raise SystemExit(3)"


def a_program(code: str, *, name: str = "one", grace_seconds: float = 5.0) -> Program:
    return Program(
        name=name,
        argv=(sys.executable, "-c", code),
        env={"PATH": "/usr/bin:/bin"},
        grace_seconds=grace_seconds,
    )


def ignore(_all: list[Condition], _one: Condition) -> None:
    """Nobody wants to hear how programs fare."""


def is_alive(pid: int) -> bool:
    """Is this a process that still runs? One that waits to be collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
