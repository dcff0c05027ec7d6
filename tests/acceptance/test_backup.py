"""Postgres is lost and comes back from a copy and its log, and the platform goes on (docs/backup.md)."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.acceptance.installation import EXAMPLES, WORKFLOWS, Installation, foldline, installed
from tests.acceptance.test_rebuild import answers, drop_schema
from tests.waiting import until_sync

STEPS = 50

pytestmark = pytest.mark.timeout(300)


def completed(installation: Installation, run_id: str) -> int:
    result = installation.call("show", run_id, "--json")
    assert result.code == 0, result.err
    return sum(step["status"] == "completed" for step in result.json["steps"])


def destroy(installation: Installation) -> None:
    """Everything dies in the middle of what it does, then the disk of the database is gone."""
    supervisor = installation.status()["supervisor"]["pid"]
    postgres = psutil.Process(installation.process("postgres")["pid"])
    them = [postgres, *postgres.children(recursive=True)]
    os.kill(supervisor, signal.SIGSTOP)  # it would start Postgres again, or end it in good order
    for one in them:
        one.kill()
    os.kill(supervisor, signal.SIGKILL)
    psutil.wait_procs(them, timeout=30)
    shutil.rmtree(installation.home.postgres)


def succeeded(events: list[dict[str, Any]]) -> Counter[str]:
    return Counter(event["data"]["step"] for event in events if event["type"] == "AttemptSucceeded")


def test_the_platform_goes_on_from_a_restored_ledger(tmp_path: Path) -> None:
    home, backups = tmp_path / "home", tmp_path / "backups"
    archiving = ("--archive", str(backups))
    with installed(home, *archiving) as platform:
        hello = platform.release(EXAMPLES / "hello" / "hello.py")
        fifty = platform.release(WORKFLOWS / "fifty.py")
        before_copy = platform.start(hello, "name=Ada")
        platform.finish(before_copy)
        platform.ask("backup", str(backups))
        after_copy = platform.start(hello, "name=Grace")
        platform.finish(after_copy)
        known = answers(platform, [before_copy, after_copy])[1:]
        in_flight = platform.start(fifty, "seconds=0.1")
        until_sync(lambda: 5 <= completed(platform, in_flight) < STEPS - 20, timeout=60)
        platform.ask("backup", str(backups), "--log-only")
        # From here on only NATS, the executor and the artifact store know what happens.
        forgotten = platform.start(hello, "name=Nobody")
        platform.finish(forgotten)
        until_sync(lambda: completed(platform, in_flight) > 30, timeout=60)
        destroy(platform)

    restored = foldline("restore", str(backups), "--home", str(home))
    assert restored.code == 0, restored.err

    with installed(home, *archiving) as platform:
        assert platform.finish(in_flight)["run"]["status"] == "completed"
        assert set(succeeded(platform.history(in_flight)).values()) == {1}
        assert len(succeeded(platform.history(in_flight))) == STEPS
        assert answers(platform, [before_copy, after_copy])[1:] == known
        assert "UNKNOWN_RUN" in platform.call("show", forgotten).err
        assert platform.run(hello, "name=Emmy")["run"]["status"] == "completed"
        drop_schema(platform.dsn, "recorder")
        platform.ask("backup", str(backups))

    with installed(home, *archiving) as platform:
        until_sync(lambda: answers(platform, [before_copy, after_copy])[1:] == known, timeout=60)
