"""The guard of the disk, with bounds that any disk is above or below of; and what a full disk is called."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from foldline.artifacts.port import StoreUnavailableError
from foldline.execution.carrier import trouble
from foldline.runtime.failures import raised
from foldline_executor.disk import DiskGuard

MORE_THAN_ANY = 2**62


def guard(folder: Path, least: int, cleaned: list[str]) -> tuple[DiskGuard, asyncio.Event]:
    changed = asyncio.Event()
    return DiskGuard([folder], least, clean=lambda: cleaned.append("once"), changed=changed), changed


async def test_with_room_there_is_no_problem_and_nothing_is_cleaned(tmp_path: Path) -> None:
    cleaned: list[str] = []
    one, changed = guard(tmp_path, 1, cleaned)

    await one.look()

    assert (one.problem, cleaned, changed.is_set()) == ("", [], False)


async def test_without_room_it_cleans_and_says_what_lacks_where(tmp_path: Path) -> None:
    cleaned: list[str] = []
    one, changed = guard(tmp_path, MORE_THAN_ANY, cleaned)

    await one.look()

    assert f"MiB free on the disk of {tmp_path}, and takes work from" in one.problem
    assert (cleaned, changed.is_set()) == (["once"], True)


async def test_a_bound_of_nothing_is_no_guard(tmp_path: Path) -> None:
    one, _ = guard(tmp_path / "not there", 0, [])

    await one.look()

    assert one.problem == ""


async def test_a_disk_that_cannot_be_looked_at_is_a_problem(tmp_path: Path) -> None:
    one, _ = guard(tmp_path / "not there", 1, [])

    await one.look()

    assert one.problem == f"cannot look at the disk of {tmp_path / 'not there'}: No such file or directory"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_nobodys_fault_wherever_it_shows(number: int) -> None:
    full = OSError(number, os.strerror(number), "/x")
    store = StoreUnavailableError("k", "the store failed")
    store.__cause__ = full
    wrapped = RuntimeError("cannot save")
    wrapped.__cause__ = full

    platforms = [(one.kind, one.reason) for one in (trouble(full), trouble(store))]
    steps = [(one.kind, one.reason) for one in (raised(full), raised(wrapped))]

    assert set(platforms + steps) == {("infrastructure", "DISK_FULL")}


def test_another_error_of_the_system_is_the_steps_own() -> None:
    assert raised(OSError(errno.EACCES, "Permission denied")).kind == "user"
