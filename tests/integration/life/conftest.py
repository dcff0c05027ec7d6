"""A world per test: ledger, NATS, store and a scheduler that is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.life.kit import World
from tests.integration.scheduler.installation import opened

STEPS = """
    import os, time
    from pathlib import Path


    def short():
        print("here")
        return 1


    def long(seconds):
        for _ in range(10):
            print("still here")
            time.sleep(seconds / 10)
        return Path(__file__).name


    def writes(size):
        Path("out.bin").write_bytes(os.urandom(size))
        return Path("out.bin")


    def waits(begun, go):
        Path(begun).touch()
        while not Path(go).exists():
            time.sleep(0.01)
        return 1


    def leaves_much(done, size):
        with open("large.bin", "wb") as file:
            file.truncate(size)
        Path(done).write_text(str(os.getpid()))
        return Path("large.bin")


    def has_children(begun, go):
        import signal, subprocess, sys
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for own_session in (False, True):
            argv = [sys.executable, "-c", "import time; time.sleep(600)"]
            subprocess.Popen(argv, start_new_session=own_session)
        return waits(begun, go)


    def fills(path):
        with open(path, "wb") as file:
            while True:
                file.write(b"x" * 65536)


    def large(size):
        return ["x" * 60_000 for _ in range(size)]


    def echo(**values):
        return len(values)
"""


@pytest.fixture
async def world(database: str, nats_server: str, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(database, nats_server, tmp_path) as platform:
        one = World(platform, nats_server, tmp_path)
        await one.site.release(STEPS)
        await one.begin()
        yield one
        await one.end()
