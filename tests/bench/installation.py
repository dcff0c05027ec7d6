"""An installation of the bench's own, as `foldline up --detach` makes it: one each for its data folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foldline.cli.stack.home import Home
from foldline.cli.stack.nats import EmbeddedNats
from foldline.cli.stack.postgres import EmbeddedPostgres
from tests.bench.processes import Stack

WORKFLOWS = Path(__file__).with_name("workflows")
FOLDLINE = (sys.executable, "-P", "-m", "foldline.cli.main")


class Installation:
    """A data folder; it runs between `up` and `down`."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)

    def up(self) -> None:
        _foldline("up", "--detach", "--home", str(self.home.folder))

    def down(self) -> None:
        _foldline("down", "--home", str(self.home.folder))

    def release(self, name: str, isolation: str) -> None:
        """The workflow `name` of this isolation."""
        file = WORKFLOWS / f"{name}.py"
        _foldline("release", str(file), "--workflow", f"{name}_{isolation}", "--home", str(self.home.folder))

    @property
    def client(self) -> dict[str, str]:
        """server, console, token, workspace."""
        found: dict[str, str] = json.loads(self.home.client.read_text())
        return found

    def dsn(self, database: str | None = None) -> str:
        return EmbeddedPostgres(self.home.postgres, port=self._ports["postgres"]).dsn(database)

    @property
    def nats(self) -> str:
        return EmbeddedNats(self.home.nats, port=self._ports["nats"]).url

    @property
    def stack(self) -> Stack:
        state = self._state
        return Stack(
            state["supervisor"]["pid"], {one["pid"]: one["name"] for one in state["processes"] if one["pid"]}
        )

    def pid(self, name: str) -> int:
        return next(int(one["pid"]) for one in self._state["processes"] if one["name"] == name)

    @property
    def _ports(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(self.home.ports.read_text())
        return found

    @property
    def _state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.home.state.read_text())
        return found


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """A running installation, gone at the end whatever happens."""
    installation = Installation(folder)
    try:
        installation.up()
        yield installation
    finally:
        installation.down()


def _foldline(*words: str) -> None:
    """Run the command; what it says goes to standard error, which is where people look."""
    ours = dict(os.environ)  # noqa: TID251 - passed on
    # Without compiled files every process compiles everything anew: nobody's installation is like that.
    ours.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([*FOLDLINE, *words], check=True, env=ours, stdout=subprocess.DEVNULL)
