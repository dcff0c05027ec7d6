"""The source tree as the tests of this folder see it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBS = ROOT / "libs"
SERVICES = ROOT / "services"
API = LIBS / "foldline" / "api"
PROGRAMS = Path(sys.executable).parent

_GENERATED = {API, SERVICES / "gateway" / "console" / "src" / "api"}
_BUILT = {"node_modules", "static", "dist", "__pycache__"}


def import_roots(root: Path = ROOT) -> list[Path]:
    """The folders that an editable install puts on the path."""
    return [root / "libs", *sorted(path for path in (root / "services").iterdir() if path.is_dir())]


def hand_written(*suffixes: str) -> list[Path]:
    """Every file with one of the suffixes that people wrote: nothing generated, nothing built."""
    found = []
    for top in ("libs", "services", "tests", "examples"):
        for name, folders, files in os.walk(ROOT / top):
            folder = Path(name)
            folders[:] = [one for one in folders if one not in _BUILT and folder / one not in _GENERATED]
            found += [folder / file for file in files if Path(file).suffix in suffixes]
    return sorted(found)


def run(*argv: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program with a small environment of its own; its output is for the assertion's message."""
    plain = {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "HOME": str(Path.home()), "COLUMNS": "200"}
    return subprocess.run(
        [str(word) for word in argv],
        check=False,
        cwd=cwd,
        env=plain | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
