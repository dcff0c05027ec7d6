"""What every test runs under: no settings from the outside, and the servers on demand."""

from __future__ import annotations

import os
import signal

# A fork of a process that has gRPC's threads runs gRPC's handlers, which abort one child in a hundred or two.
# The supervisor has no gRPC in it; a test process has. Read when gRPC is imported, so set before the rest.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # noqa: TID251 - a setting of gRPC's, not ours

from tests.kills import only_our_kills
from tests.servers import database, nats_server, own_nats, own_postgres, postgres_server

__all__ = ["database", "nats_server", "only_our_kills", "own_nats", "own_postgres", "postgres_server"]


def pytest_configure() -> None:
    """Neither a developer's settings nor how we were started may decide whether a test passes."""
    # Started in the background of a shell, we ignore Ctrl-C, and so would every program that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = os.environ  # noqa: TID251 - to clean it
    for name in [name for name in environment if name.startswith("FOLDLINE_")]:
        del environment[name]
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # programs would compile all that they import, each time
