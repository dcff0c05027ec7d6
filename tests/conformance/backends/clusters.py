"""A Ray cluster for the tests: real, of this machine, with a token; its processes are ended by their ids."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_PATIENCE_SECONDS = 90.0
_STARTS = 3

TOKEN = secrets.token_hex(32)

if importlib.util.find_spec("ray") is not None:
    # As an executor has it. Ray reads this once, when it is imported.
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN, RAY_USAGE_STATS_ENABLED="0")


class Cluster:
    """Where it is, and what its processes are."""

    def __init__(self, address: str, dashboard: str, process: subprocess.Popen[bytes]) -> None:
        self.address = address
        self.dashboard = dashboard
        self.process = process

    def pids(self, name: str) -> list[int]:
        """Of its processes whose command line begins with that name."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if name in process.name() or any(name in part for part in process.cmdline()[:1]):
                    found.append(process.pid)
        return found

    def kill(self, name: str) -> None:
        for pid in self.pids(name):
            os.kill(pid, signal.SIGKILL)


class _NotUp(Exception):
    """Ray has given up on its own start."""


@contextmanager
def cluster(*, cpus: int = 4, gpus: int = 2, dashboard: bool = False) -> Iterator[Cluster]:
    """Lets those in that have the token."""
    # The path of a socket in it must be short.
    root = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    try:
        found = _started(root, [f"--num-cpus={cpus}", f"--num-gpus={gpus}"], dashboard=dashboard)
        try:
            yield found
        finally:
            _end(found.process)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _started(root: Path, offered: list[str], *, dashboard: bool) -> Cluster:
    """Ray gives itself 30 s to start, which a busy machine may exceed: then again, in a folder of its own."""
    for number in range(_STARTS):
        port, dashboard_port = _free_port(), _free_port()
        command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", *offered]
        command += [f"--temp-dir={root / str(number)}", "--node-ip-address=127.0.0.1", f"--port={port}"]
        command += [f"--include-dashboard={str(dashboard).lower()}", f"--dashboard-port={dashboard_port}"]
        command += [
            "--disable-usage-stats",
            "--object-store-memory=100000000",
            f"--ray-client-server-port={_free_port()}",
        ]
        log = root / f"start-{number}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        try:
            _wait_for(log, process)
        except BaseException as error:
            _end(process)
            if not isinstance(error, _NotUp):
                raise
            continue
        return Cluster(f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard_port}", process)
    raise AssertionError(f"the cluster does not start: {log.read_text(errors='replace')}")


def _wait_for(log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text(errors="replace")
        if "Ray runtime started" in text:
            return
        if process.poll() is not None:
            raise _NotUp
        time.sleep(0.1)
    raise AssertionError(f"the cluster does not start: {log.read_text(errors='replace')}")


def _end(process: subprocess.Popen[bytes]) -> None:
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    for one in family:
        with contextlib.suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(family, 10)
    if process.poll() is None:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
