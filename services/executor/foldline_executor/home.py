"""The executor's folder: whose it is, and what is where.

session      id of the process that runs now, or ran last
envs/        one environment per digest         bundles/    one code bundle per digest
artifacts/   inputs fetched from a remote store work/       one folder per attempt that runs
spool/       reports of ended attempts that no scheduler has acknowledged
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from foldline.chassis.clock import new_id
from foldline.domain.errors import FoldlineError, Kind
from foldline.environments import Environments


class Home:
    """Opened by `hold`; `session` is new for each process, `previous` is the one before, if any."""

    def __init__(self, root: Path, previous: str) -> None:
        self.root = root
        self.session = new_id()
        self.previous = previous
        self.environments = root / "envs"
        self.bundles = root / "bundles"
        self.artifacts = root / "artifacts"
        self.work = root / "work"
        self.spool = root / "spool"
        for folder in (self.environments, self.bundles, self.artifacts, self.work, self.spool):
            folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def hold(root: Path) -> Iterator[Home]:
    """Take the folder for this process alone; PRECONDITION HOME_IN_USE when another one has it."""
    root = root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"another executor uses {root}; each needs a FOLDLINE_HOME of its own"
            raise FoldlineError(Kind.PRECONDITION, "HOME_IN_USE", message) from error
        home = Home(root, _previous(root))
        _clear(home)
        # Only now: a process that failed before this line held nothing.
        (root / "session.new").write_text(home.session)
        (root / "session.new").rename(root / "session")
        yield home


def _previous(root: Path) -> str:
    try:
        return (root / "session").read_text().strip()
    except FileNotFoundError:
        return ""


def _clear(home: Home) -> None:
    """What a killed process left half done."""
    shutil.rmtree(home.work, ignore_errors=True)
    home.work.mkdir()
    Environments(home.environments).sweep()
    for folder in (home.bundles, home.artifacts, home.spool):
        for partial in folder.glob("*.partial*"):
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink()
