"""Calls of uv: which binary, in which surroundings, and its own words when it fails."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Sequence

from uv import find_uv_bin

from foldline.environments import surroundings

BUILD_SECONDS = 1800.0
LOCK_SECONDS = 300.0
_EXPLANATION_LIMIT = 6000
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class UvFailed(Exception):
    """uv could not do it; the message is its explanation."""


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
    return _result(done.returncode, done.stdout, done.stderr)


async def install(arguments: Sequence[str]) -> str:
    """Have uv make or fill an environment; cancelling ends it."""
    try:
        process = await asyncio.create_subprocess_exec(
            find_uv_bin(),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=await asyncio.to_thread(surroundings.of_uv, is_choosing=False),
        )
    except OSError as error:
        raise UvFailed(f"uv does not start: {error}") from error
    try:
        async with asyncio.timeout(BUILD_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise UvFailed(f"uv did not finish within {BUILD_SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _result(process.returncode or 0, output, errors)


def _result(code: int, output: bytes, errors: bytes) -> str:
    if code != 0:
        explanation = _CREDENTIALS.sub("", errors.decode(errors="replace")).strip()
        raise UvFailed(explanation[-_EXPLANATION_LIMIT:] or f"uv exited with code {code}")
    return output.decode()
