"""What every test runs under: no settings from the outside, and the servers on demand."""

from __future__ import annotations

import os

from tests.servers import database, nats_server, own_nats, own_postgres, postgres_server

__all__ = ["database", "nats_server", "own_nats", "own_postgres", "postgres_server"]


def pytest_configure() -> None:
    """A developer's own settings must not decide whether a test passes."""
    environment = os.environ  # noqa: TID251 - to clean it
    for name in [name for name in environment if name.startswith("FOLDLINE_")]:
        del environment[name]
