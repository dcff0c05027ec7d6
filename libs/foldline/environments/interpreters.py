"""Which Python interpreters this machine has. None is ever downloaded.

Looked for, in this order: what the operator lists, the Python that runs this, python3.N in every folder of
the PATH, the versions of pyenv, those that uv manages. Each is asked for its version, since a name promises
nothing: shims are named like interpreters and work for one version alone.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from foldline.domain.errors import FoldlineError, Kind

OLDEST = (3, 11)
"""What a step's process imports of this package is written for it."""

_VERSION = re.compile(r"[0-9]+\.[0-9]+")
_NAME = re.compile(r"python[0-9]+\.[0-9]+t?")
# An environment made from an environment would depend on it, hence the base.
_ASK = """
import json, os, sys, sysconfig
base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
print(json.dumps([base, "%d.%d" % sys.version_info[:2], sys.version.split()[0], sys.implementation.name,
    sysconfig.get_platform(), sysconfig.get_config_var("SOABI") or ""]))
"""
_ASK_SECONDS = 20


class Interpreter(NamedTuple):
    """As it describes itself."""

    path: Path
    version: str
    """major.minor"""
    full_version: str
    implementation: str
    platform: str
    abi: str


def check(version: str) -> None:
    """Raises INVALID NO_SUCH_PYTHON for what no machine could have."""
    if not _VERSION.fullmatch(version):
        message = f"{version!r} is no Python version; one reads major.minor, such as 3.11"
        raise FoldlineError(Kind.INVALID, "NO_SUCH_PYTHON", message)
    if tuple(map(int, version.split("."))) < OLDEST:
        message = f"steps need Python {OLDEST[0]}.{OLDEST[1]} or newer, not {version}"
        raise FoldlineError(Kind.INVALID, "NO_SUCH_PYTHON", message)


def find(version: str, listed: Sequence[Path] = ()) -> Interpreter:
    """An interpreter of that version (major.minor); `listed` are the operator's.

    Raises NO_SUCH_PYTHON: INVALID for what no machine could have, else PRECONDITION, naming what there is.
    """
    check(version)
    for candidate in (*listed, *_candidates(version)):
        found = _asked(candidate)
        if found is not None and found.version == version:
            return found
    there = ", ".join(f"{one.version} ({one.path})" for one in installed(listed)) or "none that steps can use"
    broken = [str(path) for path in listed if _asked(path) is None]
    unusable = f"; {', '.join(broken)} in FOLDLINE_PYTHONS is no interpreter that starts" if broken else ""
    message = (
        f"this machine has no Python {version}; it has {there}{unusable}. Install Python {version} and name "
        "it in FOLDLINE_PYTHONS if it is in no usual place, or make the release with a version that is there"
    )
    raise FoldlineError(Kind.PRECONDITION, "NO_SUCH_PYTHON", message)


def installed(listed: Sequence[Path] = ()) -> list[Interpreter]:
    """One of each version that steps can use, the oldest first."""
    found: dict[str, Interpreter] = {}
    for candidate in (*listed, *_candidates("")):
        one = _asked(candidate)
        if one is not None and tuple(map(int, one.version.split("."))) >= OLDEST:
            found.setdefault(one.version, one)
    return sorted(found.values(), key=lambda one: tuple(map(int, one.version.split("."))))


def _candidates(version: str) -> Iterator[Path]:
    """Of one version, or "" of any."""
    if version in ("", f"{sys.version_info.major}.{sys.version_info.minor}"):
        yield Path(sys.executable)
    for folder in os.get_exec_path():
        if version:
            yield Path(folder, f"python{version}")
        else:
            found = Path(folder).glob("python3.*")
            yield from sorted(path for path in found if _NAME.fullmatch(path.name))
    environ = os.environ  # noqa: TID251 - where other tools keep their interpreters
    pyenv = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted(pyenv.glob(f"{version or '3'}.*/bin/python"), reverse=True)
    data = Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    managed = Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    yield from sorted(managed.glob(f"cpython-{version or '3'}.*/bin/python3"), reverse=True)


def _asked(candidate: Path) -> Interpreter | None:
    try:
        # An upgrade puts another program in its place.
        changed = candidate.stat().st_mtime_ns
    except OSError:
        return None
    return _described(candidate, changed)


@functools.cache
def _described(candidate: Path, _changed: int) -> Interpreter | None:
    try:
        done = subprocess.run(
            [candidate, "-I", "-c", _ASK], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False
        )
        path, *rest = json.loads(done.stdout)
        return Interpreter(Path(path), *rest)
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired):
        return None
