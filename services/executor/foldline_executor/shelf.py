"""The folder of inputs that were fetched from a remote store: bounded, the longest unused go first."""

from __future__ import annotations

import os
import time
from pathlib import Path

LIMIT_BYTES = 20 * 1024**3
RECENT_SECONDS = 3600.0


def touch(path: Path) -> None:
    """The file is used now."""
    os.utime(path)


def trim(folder: Path, limit: int = LIMIT_BYTES, *, recent_seconds: float = RECENT_SECONDS) -> None:
    """Bring the folder under the limit, but keep what was used a short while ago: a step may be about to."""
    files = sorted(((path.stat(), path) for path in folder.iterdir()), key=lambda pair: pair[0].st_mtime)
    excess = sum(stat.st_size for stat, _ in files) - limit
    horizon = time.time() - recent_seconds
    for stat, path in files:
        if excess <= 0 or stat.st_mtime > horizon:
            return
        path.unlink(missing_ok=True)
        excess -= stat.st_size
