"""Runs a program that must not outlive whoever asked for it, nor may anything that it starts.

    python -I -S -c "…; from foldline.runtime import tether; tether.main()" PARENT PROGRAM ARGUMENT…

PARENT is the process id of the one who asks. When that ends, however it ends, or when this process gets a
SIGTERM, the program's whole process group is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import NoReturn

from foldline.runtime import kernel


def main() -> NoReturn:
    """Start the program, wait, leave with its exit code."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    group = 0
    is_over = False

    def end(*_: object) -> None:
        nonlocal is_over
        is_over = True
        if group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    kernel.die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)  # it ended before the kernel was told
    process = subprocess.Popen(command, start_new_session=True)
    group = process.pid
    if is_over:
        end()
    code = process.wait()
    sys.exit(code if code >= 0 else 128 - code)
