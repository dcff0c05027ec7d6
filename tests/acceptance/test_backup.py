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
from tests.servers import Running
from tests.waiting import until_sync

from foldline.cli.stack.home import Home
from foldline.cli.stack.ports import free_port
from foldline.cli.stack.postgres import EmbeddedPostgres

pytestmark = pytest.mark.timeout(300)


def is_running(installation: Installation, run_id: str, step: str) -> bool:
    return statuses(installation, run_id)[step] == "running"


def statuses(installation: Installation, run_id: str) -> dict[str, str]:
    return {step["name"]: step["status"] for step in installation.ask("show", run_id)["steps"]}


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


def drop_recorder(home: Home) -> None:
    postgres = Running(EmbeddedPostgres(home.postgres, port=free_port()), home.log("alone"))
    postgres.start()
    try:
        drop_schema(postgres.server.dsn(), "recorder")
    finally:
        postgres.stop()


def succeeded(events: list[dict[str, Any]]) -> Counter[str]:
    return Counter(event["data"]["step"] for event in events if event["type"] == "AttemptSucceeded")


@pytest.mark.parametrize("rebuilds", [False, pytest.param(True, marks=pytest.mark.long)])
def test_the_platform_goes_on_from_a_restored_ledger(tmp_path: Path, rebuilds: bool) -> None:
    """Whatever `rebuilds` says: with it the records are made anew from the restored ledger."""
    home, backups, folder = tmp_path / "home", tmp_path / "backups", tmp_path / "flying"
    folder.mkdir(mode=0o777)
    archiving = ("--archive", str(backups))
    with installed(home, *archiving) as platform:
        hello = platform.release(EXAMPLES / "hello" / "hello.py")
        flying = platform.release(WORKFLOWS / "restored.py")
        platform.ask("backup", str(backups))
        kept = platform.start(hello, "name=Grace")
        platform.finish(kept)
        known = answers(platform, [kept])[1:]
        run_id = platform.start(flying, f"folder={folder}")
        until_sync(lambda: is_running(platform, run_id, "until_copied"), timeout=60)
        platform.ask("backup", str(backups), "--log-only")
        # From here on only NATS, the executor and the artifact store know what happens.
        (folder / "copied").touch()
        forgotten = platform.start(hello, "name=Nobody")
        until_sync(lambda: is_running(platform, run_id, "until_restored"), timeout=60)
        until_sync(lambda: statuses(platform, run_id)["pay"] == "completed", timeout=60)
        platform.finish(forgotten)
        destroy(platform)

    restored = foldline("restore", str(backups), "--home", str(home))
    assert restored.code == 0, restored.err
    if rebuilds:
        drop_recorder(Home(home))

    with installed(home, *archiving) as platform:
        (folder / "restored").touch()
        until_sync(lambda: statuses(platform, run_id)["pay"] == "held", timeout=60)
        until_sync(lambda: answers(platform, [kept])[1:] == known, timeout=60)
        witness = Counter((folder / "witness").read_text().split())
        # What the ledger knew is not done again; what it forgot is, unless it is unsafe.
        assert (witness["first"], witness["again"], witness["pay"]) == (1, 2, 1)

        platform.ask("retry", run_id, "pay")
        assert platform.finish(run_id)["run"]["status"] == "completed"
        assert set(succeeded(platform.history(run_id)).values()) == {1}
        assert "UNKNOWN_RUN" in platform.call("stop", forgotten).err
