"""Which Python interpreters this machine has. None is ever downloaded."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from foldline.domain.errors import FoldlineError, Kind

OLDEST = (3, 11)
"""What a step's process imports of this package is written for it."""

_VERSION = re.compile(r"[0-9]+\.[0-9]+")
_ASK = "import sys; print('%d.%d' % sys.version_info[:2])"


def find(version: str) -> Path:
    """An interpreter of that version (major.minor). Raises PRECONDITION NO_SUCH_PYTHON when there is none."""
    if not _VERSION.fullmatch(version):
        message = f"{version!r} is no Python version; one reads major.minor, such as 3.11"
        raise FoldlineError(Kind.INVALID, "NO_SUCH_PYTHON", message)
    if tuple(map(int, version.split("."))) < OLDEST:
        message = f"steps need Python {OLDEST[0]}.{OLDEST[1]} or newer, not {version}"
        raise FoldlineError(Kind.INVALID, "NO_SUCH_PYTHON", message)
    for candidate in _candidates(version):
        if _version_of(candidate) == version:
            return candidate
    message = f"this machine has no Python {version}; install it, or release with another version"
    raise FoldlineError(Kind.PRECONDITION, "NO_SUCH_PYTHON", message)


def _candidates(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        # An environment made from an environment would depend on it.
        yield Path(sys.base_prefix) / "bin" / f"python{version}"
        yield Path(sys.executable).resolve()
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    # Programs named like this on the PATH may be shims that work for one version alone.
    yield from sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"), reverse=True)
    uv_home = Path.home() / ".local" / "share" / "uv" / "python"
    yield from sorted(uv_home.glob(f"cpython-{version}.*/bin/python{version}"), reverse=True)


def _version_of(interpreter: Path) -> str:
    try:
        done = subprocess.run(
            [interpreter, "-I", "-c", _ASK], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
