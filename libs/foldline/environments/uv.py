"""Calls of uv: which binary, in which surroundings, and its own words when it fails."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from uv import find_uv_bin

from foldline.environments import surroundings
from foldline.runtime.pipes import Splitter

BUILD_SECONDS = 1800.0
LOCK_SECONDS = 300.0
_WORDS_LIMIT = 64 * 1024
_READ_BYTES = 64 * 1024
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_TETHER = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from foldline.runtime import tether; tether.main()"
)

Tell = Callable[[str], Awaitable[None]]
"""Takes the next line of what is being done, for people."""


class UvFailed(Exception):
    """uv could not do it; the message is its explanation."""


async def silent(_: str) -> None:
    """For whoever does not want to be told."""


def choose(arguments: Sequence[str], *, text: str) -> str:
    """Have uv choose versions, with `text` as its input, and wait; its standard output."""
    try:
        done = subprocess.run(
            [find_uv_bin(), *arguments],
            input=text.encode(),
            capture_output=True,
            env=surroundings.of_uv(is_choosing=True),
            timeout=LOCK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UvFailed(f"uv did not finish within {LOCK_SECONDS:g} s") from error
    except OSError as error:
        raise UvFailed(f"uv does not start: {error}") from error
    if done.returncode != 0:
        raise UvFailed(_clean(done.stderr.decode(errors="replace")).strip() or _code(done.returncode))
    return done.stdout.decode()


async def install(arguments: Sequence[str], tell: Tell = silent) -> None:
    """Have uv make or fill an environment. Cancelling ends it, as does the end of this process."""
    library = str(Path(__file__).parents[2])
    tether = [sys.executable, "-I", "-S", "-c", _TETHER, library, str(os.getpid())]
    try:
        process = await asyncio.create_subprocess_exec(
            *tether,
            find_uv_bin(),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=await asyncio.to_thread(surroundings.of_uv, is_choosing=False),
            cwd="/",  # no project of anybody's decides how an environment is built
        )
    except OSError as error:
        raise UvFailed(f"uv does not start: {error}") from error
    try:
        async with asyncio.timeout(BUILD_SECONDS):
            words = await _listen(process, tell)
            code = await process.wait()
    except TimeoutError as error:
        raise UvFailed(f"uv did not finish within {BUILD_SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if code != 0:
        raise UvFailed(words or _code(code))


async def _listen(process: asyncio.subprocess.Process, tell: Tell) -> str:
    assert process.stdout is not None
    splitter = Splitter()
    words = ""
    is_open = True
    while is_open:
        data = await process.stdout.read(_READ_BYTES)
        is_open = data != b""
        for raw in splitter.feed(data) if is_open else splitter.end():
            line = _clean(raw)
            words = f"{words}\n{line}"[-_WORDS_LIMIT:]
            await tell(line)
    return words.strip()


def _clean(text: str) -> str:
    return _CREDENTIALS.sub("", text)


def _code(code: int) -> str:
    return f"uv exited with code {code}"
