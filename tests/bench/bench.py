"""What every case works with: one warm installation, a client of it, its ledger."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from foldline.domain.spec import Json
from foldline.sdk.client import Client
from tests.bench.installation import Installation
from tests.bench.ledger import Fact, Ledger
from tests.bench.results import Isolation


class Bench:
    """`repeats` is how often a case is measured after it was run once unmeasured, to be warm."""

    def __init__(
        self,
        installation: Installation,
        client: Client,
        ledger: Ledger,
        *,
        folder: Path,
        repeats: int,
        is_long: bool,
    ) -> None:
        self.installation = installation
        self.client = client
        self.ledger = ledger
        self.folder = folder
        self.repeats = repeats
        self.is_long = is_long
        self._released: set[str] = set()

    def release(self, name: str, isolation: Isolation) -> str:
        """The workflow's name in the installation, released there when it is first asked for."""
        workflow = f"{name}_{isolation}"
        if workflow not in self._released:
            note(f"releasing {workflow}")
            self.installation.release(name, isolation)
            self._released.add(workflow)
        return workflow

    async def run(self, workflow: str, values: Mapping[str, Json] | None = None) -> tuple[float, list[Fact]]:
        """A run from start to end: when it was asked for, and its events."""
        asked = time.time()
        run_id = await self.client.runs.start(workflow, values)
        await self.ledger.until_completed([run_id])
        return asked, await self.ledger.history(run_id)


def note(text: str) -> None:
    """Progress goes to standard error; standard output is for results."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()
