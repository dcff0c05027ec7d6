"""Environments of the tests, and processes that build them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from foldline.domain.spec import Environment

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_BUILD = """
import asyncio, sys
from pathlib import Path
import msgspec
from foldline import environments
from foldline.domain.spec import Environment

async def tell(line):
    print(line, flush=True)

environment = msgspec.json.decode(sys.argv[1], type=Environment)
print("python:", asyncio.run(environments.build(environment, Path(sys.argv[2]), tell)), flush=True)
"""


def of(*locked: str, python: str = PYTHON) -> Environment:
    return Environment(python=python, lock="".join(locked))


def names_in(folder: Path) -> list[str]:
    """The environments, whole or not, without their locks."""
    found = folder.iterdir() if folder.exists() else ()
    return sorted(path.name for path in found if path.is_dir())


def locks_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.lock"))


async def output_of(python: Path, code: str) -> str:
    """As a step's process has it: whatever is set here, byte code is written."""
    process = await asyncio.create_subprocess_exec(
        python, "-c", code, stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
    )
    output, _ = await process.communicate()
    return output.decode().strip()


class Builder:
    """A process that builds; `lines` are what it was told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    @classmethod
    async def start(cls, environment: Environment, root: Path) -> Builder:
        text = msgspec.json.encode(environment).decode()
        command = [sys.executable, "-c", _BUILD, text, str(root)]
        return cls(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE))

    async def line(self, start: str) -> str:
        """The next line that begins so."""
        assert self.process.stdout is not None
        while True:
            line = (await asyncio.wait_for(self.process.stdout.readline(), 60)).decode().rstrip()
            self.lines.append(line)
            assert line or not self.process.stdout.at_eof(), f"no {start!r} in {self.lines}"
            if line.startswith(start):
                return line

    async def kill(self) -> None:
        """Unless it has ended."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()
