"""Cases that begin with nothing, or with a stopped installation."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from foldline.sdk import release as releases
from foldline.sdk.client import Client
from tests.bench import ledger
from tests.bench.bench import Bench, note
from tests.bench.installation import WORKFLOWS, Installation
from tests.bench.results import Isolation, Result

MOST_REPEATS = 3


async def cold(bench: Bench, isolation: Isolation) -> list[Result]:
    """An empty data folder to the end of the first run; then stopped, and up again to the end of a run.

    The machine is warm: everything was imported and read from the disk before.
    """
    first: list[float] = []
    restart: list[float] = []
    ready: list[float] = []
    for number in range(min(bench.repeats, MOST_REPEATS)):
        note(f"cold start {number + 1}, {isolation}")
        with TemporaryDirectory(prefix="cold-", dir=bench.folder) as folder:
            installation = Installation(Path(folder) / "home")
            try:
                began = time.monotonic()
                installation.up()
                first.append(await _first_run(installation, isolation, is_new=True) - began)
                installation.down()
                began = time.monotonic()
                installation.up()
                ready.append(time.monotonic() - began)
                restart.append(await _first_run(installation, isolation, is_new=False) - began)
            finally:
                installation.down()
    return [
        Result(
            case="cold",
            isolation=isolation,
            measures={"seconds": first, "restart_seconds": restart, "restart_ready_seconds": ready},
            facts={"steps": 1, "warm": False},
        )
    ]


async def _first_run(installation: Installation, isolation: Isolation, *, is_new: bool) -> float:
    """Release where it is new, start a run, wait for its end; when that was."""
    workflow = f"start_{isolation}"
    where = installation.client
    async with (
        Client(where["server"], where["token"], workspace=where["workspace"]) as client,
        ledger.opened(installation.dsn()) as opened,
    ):
        if is_new:
            draft = releases.draft(WORKFLOWS / "start.py", workflow)
            await client.workflows.release(draft.graph, bundle=draft.bundle, environment=draft.environment)
        await opened.until_completed([await client.runs.start(workflow)])
        return time.monotonic()
