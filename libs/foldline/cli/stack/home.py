"""The folder that holds everything of one installation on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class Home(msgspec.Struct, frozen=True):
    """Where each thing lies. Nothing is created before `create`."""

    folder: Path

    @property
    def lock(self) -> Path:
        return self.folder / "up.lock"

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def ports(self) -> Path:
        return self.folder / "ports.json"

    @property
    def client(self) -> Path:
        return self.folder / "client.json"

    @property
    def key(self) -> Path:
        return self.folder / "token.key"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def nats(self) -> Path:
        return self.folder / "nats"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def executor(self) -> Path:
        return self.folder / "executor"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def create(self) -> None:
        """Make the folder, for its owner alone: keys, passwords and data lie below it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for folder in (self.artifacts, self.executor, self.log("x").parent):
            folder.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner may read; nobody ever sees half of it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
