"""An executor that a test adds to an installation: with a pool, a name and a backend of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.installation import Installation
from tests.waiting import until_sync

from foldline.cli.stack.leash import leash
from foldline.cli.stack.nats import EmbeddedNats


class Guest:
    """A process beside those of the installation, which no supervisor starts again."""

    def __init__(self, host: Installation, home: Path, name: str, **settings: object) -> None:
        self.name = name
        self._host = host
        self._log = home.with_suffix(".log")
        port = json.loads(host.home.ports.read_text())["nats"]
        own = {
            "nats": EmbeddedNats(host.home.nats, port=port).url,
            "artifacts": host.home.artifacts,
            "token_key": host.home.key.read_text().strip(),
            "home": home,
            "name": name,
            "slots": 2,
            "disk_free": 0,
            "log_format": "json",
        } | settings
        kept = ("PATH", "HOME", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED")
        self._environ = {key: os.environ[key] for key in kept if key in os.environ}  # noqa: TID251
        self._environ |= {f"FOLDLINE_{key.upper()}": str(value) for key, value in own.items()}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """And wait until it takes work."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "foldline_executor"],
                env=self._environ,
                stdout=log,
                stderr=log,
                preexec_fn=leash(signal.SIGTERM),
            )
        until_sync(self._is_ready, timeout=60)

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(self._log.read_text())
        return "ready" in [one["state"] for one in self.sessions()]

    def sessions(self) -> list[dict[str, Any]]:
        """Those of its name, as `foldline executors` shows them."""
        return [one for one in self._host.ask("executors") if one["name"] == self.name]

    def kill(self) -> None:
        """As a crash does it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def leave(self) -> int:
        """In good order, and wait for the end; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def guest(host: Installation, home: Path, name: str, **settings: object) -> Iterator[Guest]:
    """Takes work from the beginning; ends at the end, where it has not yet."""
    one = Guest(host, home, name, **settings)
    try:
        one.start()
        yield one
    finally:
        if one.process is not None and one.process.poll() is None:
            one.leave()
