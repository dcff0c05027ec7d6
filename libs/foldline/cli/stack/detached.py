"""Starting the supervisor in the background, and ending it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from foldline.cli.stack import lock, state
from foldline.cli.stack.home import Home
from foldline.cli.stack.installation import Options, StartFailed
from foldline.cli.stack.lock import AlreadyRunning
from foldline.cli.stack.logfile import tail
from foldline.cli.stack.state import State

START_SECONDS = 300.0
STOP_SECONDS = 90.0
PAUSE_SECONDS = 0.05


def start(options: Options) -> State:
    """Start a supervisor that outlives us; return when everything is ready."""
    home = options.place()
    holder = lock.holder(home.lock)
    if holder is not None:
        raise AlreadyRunning(holder)
    log = home.log("supervisor")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "foldline.cli.stack", msgspec.json.encode(options).decode()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    return _until_ready(home, process, log)


def _until_ready(home: Home, process: subprocess.Popen[bytes], log: Path) -> State:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        now = state.read(home)
        if now is not None and now.supervisor.pid == process.pid:
            if now.phase == "ready":
                return now
            if now.phase == "failed" and ended:
                raise StartFailed(now.problem)
        if ended:
            raise StartFailed("the supervisor ended:\n" + "\n".join(tail(log, 12)))
        time.sleep(PAUSE_SECONDS)
    process.terminate()
    raise StartFailed(f"nothing was ready after {START_SECONDS:g} s; see {log}")


def stop(home: Home) -> bool:
    """End the supervisor of this home and everything it keeps; False when none runs."""
    holder = lock.holder(home.lock)
    if holder is None:
        return False
    holder.signal(signal.SIGTERM)
    if not holder.wait_gone(STOP_SECONDS):
        holder.signal(signal.SIGKILL)  # what it keeps dies with it
        holder.wait_gone(5.0)
    return True
