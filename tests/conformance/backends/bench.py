"""What the suite needs around a backend: a bundle, environments, jobs, and who of it is still there."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from foldline import environments
from foldline.domain.spec import Environment
from foldline.runtime.jobs import Given, Job, Line, Outcome
from foldline.runtime.port import Backend

HERE = Path(__file__).parent
_WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class Bench:
    """A backend, and a folder in which its jobs live."""

    def __init__(self, root: Path, backend: Backend, python: Path) -> None:
        self.root = root
        self.backend = backend
        self.python = python
        self.lines: list[Line] = []
        self.bundle = root / "bundle"
        self.bundle.mkdir(exist_ok=True)
        shutil.copy(HERE / "steps.py", self.bundle)
        self._numbers = itertools.count(1)

    def job(
        self, function: str, *, python: Path | None = None, module: str = "steps", **values: object
    ) -> Job:
        number = next(self._numbers)
        return Job(
            key=f"run-1/step-{number}/1",
            python=python or self.python,
            bundle=self.bundle,
            module=module,
            function=function,
            folder=self.root / f"job-{number}",
            inputs={name: Given(value=value) for name, value in values.items()},
            outputs=(("output", "any"),),
            grace_seconds=0.2,
        )

    async def run(self, job: Job) -> Outcome:
        return await self.backend.run(job, self.hear)

    async def hear(self, lines: Sequence[Line]) -> None:
        self.lines += lines

    def said(self, stream: str) -> list[str]:
        return [line.text for line in self.lines if line.stream == stream]

    def left(self) -> list[str]:
        """Processes of steps that are still there, wherever: each works in its job's folder."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                works_here = Path(process.cwd()).match(f"{self.root}/job-*")
                if works_here and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {process.cmdline()}")
        return found

    def processes_of(self, module: str) -> bool:
        """Is there a process that was started for the module of our bundle, wherever?"""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cmdline()[-2:] == [str(self.bundle), module]:
                    return True
        return False


def wheel_of(version: str, folder: Path) -> Path:
    """A wheel of a package that the platform does not have."""
    name = f"oddity-{version}"
    files = {
        "oddity.py": f"VERSION = {version!r}\n",
        f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: oddity\nVersion: {version}\n",
        f"{name}.dist-info/WHEEL": _WHEEL,
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    files[f"{name}.dist-info/RECORD"] = f"{record}{name}.dist-info/RECORD,,\n"
    folder.mkdir(exist_ok=True)
    wheel = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


async def environment_with(version: str, root: Path) -> Path:
    """The interpreter of an environment with that version of it."""
    wheel = wheel_of(version, root / "wheels")
    hash_ = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock = f"oddity @ {wheel.as_uri()} --hash=sha256:{hash_}\n"
    return await environments.build(Environment(python=PYTHON, lock=lock), root / "envs")


async def bare_environment(root: Path) -> Path:
    return await environments.build(Environment(python=PYTHON), root / "envs")


def memory_now() -> int:
    return psutil.Process().memory_info().rss


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
