"""The read models are disposable: dropped, they come back the same, byte for byte."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest
from tests.acceptance.installation import EXAMPLES, Installation, installed
from tests.waiting import until_sync

pytestmark = pytest.mark.timeout(300)


def drop_schema(dsn: str, schema: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(f"drop schema {schema} cascade")
        finally:
            await connection.close()

    asyncio.run(main())


def answers(installation: Installation, runs: list[str]) -> list[str]:
    """Everything that the recorder tells about the runs, as it comes."""
    questions = [("runs",), *(("show", run) for run in runs), *(("history", run) for run in runs)]
    return [installation.call(*question, "--json").out for question in questions]


def test_records_are_the_same_after_the_recorders_schema_was_dropped(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with installed(home) as installation:
        name = installation.release(EXAMPLES / "hello" / "hello.py")
        runs = [installation.start(name, f"name={who}") for who in ("Ada", "Grace", "Emmy")]
        for run in runs:
            installation.finish(run)
        before = answers(installation, runs)
        drop_schema(installation.dsn, "recorder")

    with installed(home) as installation:
        assert all(who in before[0] for who in ("Ada", "Grace", "Emmy"))
        until_sync(lambda: answers(installation, runs) == before, timeout=60)
