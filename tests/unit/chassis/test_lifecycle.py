"""A process from start to end; each test is a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PREAMBLE = """
import asyncio
import msgspec
from foldline.chassis import lifecycle

class Settings(msgspec.Struct, frozen=True):
    token_key: str
    slots: int = 1
    log_format: str = "json"
"""

WAIT_FOR_STOP = """
async def main(settings, life):
    life.ready.set()
    print("ready", flush=True)
    await life.stop.wait()
    print("closing", flush=True)
"""

STUBBORN = """
async def main(settings, life):
    print("ready", flush=True)
    await life.stop.wait()
    await asyncio.Event().wait()
"""

BROKEN = """
async def main(settings, life):
    raise ConnectionError("no ledger")
"""

START = 'lifecycle.run(main, Settings, service="test")\n'


@contextmanager
def _process(main: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + main + START],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FOLDLINE_TOKEN_KEY": "hush", **environ},  # noqa: TID251 - what the child inherits
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _wait_for(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    for text in process.stdout:
        if line in text:
            return
    raise AssertionError(f"the process ended without {line!r}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_in_good_order(number: signal.Signals) -> None:
    with _process(WAIT_FOR_STOP) as process:
        _wait_for(process, "ready")
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert "closing" in output
    assert json.loads(output.splitlines()[-1])["event"] == "process_stopped"


def test_a_second_signal_insists() -> None:
    with _process(STUBBORN) as process:
        _wait_for(process, "ready")
        process.send_signal(signal.SIGTERM)
        _wait_for(process, "signal_received")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "process_cut_short" in output


def test_a_service_that_breaks_says_why_and_exits_with_one() -> None:
    with _process(BROKEN) as process:
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 1
    entry = json.loads(output.splitlines()[-1])
    assert (entry["event"], entry["service"]) == ("process_failed", "test")
    assert "ConnectionError: no ledger" in entry["exception"]


def test_a_wrong_environment_is_explained_without_a_traceback() -> None:
    with _process(WAIT_FOR_STOP, FOLDLINE_SLOTS="many") as process:
        output, errors = process.communicate(timeout=30)

    assert process.returncode == 1
    assert output == ""
    assert "FOLDLINE_SLOTS is wrong" in errors
    assert "Traceback" not in errors
