"""Environments that nobody uses go, the longest unused first."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.integration.environments.building import locks_in, names_in, of

from foldline.environments import Environments, build


async def made(root: Path, name: str, *, age: float) -> str:
    """The folder's name of an environment that was last used so many seconds ago."""
    folder = (await build(of(f"# {name}\n"), root)).parent.parent
    os.utime(folder / "ready", (time.time() - age,) * 2)
    return folder.name


async def test_the_longest_unused_go_first(root: Path) -> None:
    names = [await made(root, name, age=age) for name, age in (("a", 300), ("b", 100), ("c", 200))]

    assert Environments(root, keep=2).collect() == 1

    assert names_in(root) == sorted(names[1:])
    assert locks_in(root) == sorted(f"{name}.lock" for name in names[1:])


async def test_one_that_is_used_stays_also_for_another_process(root: Path) -> None:
    used = await made(root, "used", age=300)
    await made(root, "idle", age=200)

    async with Environments(root).use(of("# used\n")):
        # Whoever collects has nothing but the folder in common with whoever uses.
        Environments(root).collect(keep=0)
        assert names_in(root) == [used]

    Environments(root).collect(keep=0)
    assert names_in(root) == []


async def test_one_that_was_used_a_short_while_ago_stays(root: Path) -> None:
    await made(root, "old", age=1000)
    young = await made(root, "young", age=10)

    Environments(root).collect(keep=0, resting_seconds=500)

    assert names_in(root) == [young]


async def test_use_makes_it_the_youngest(root: Path) -> None:
    old = await made(root, "old", age=1000)
    await made(root, "young", age=10)
    async with Environments(root).use(of("# old\n")):
        pass

    Environments(root).collect(keep=1)

    assert names_in(root) == [old]


async def test_one_that_was_removed_is_built_again(root: Path) -> None:
    here = Environments(root)
    async with here.use(of()) as python:
        pass
    here.collect(keep=0)
    assert not python.exists()

    async with here.use(of()) as again:
        assert again == python
        assert again.exists()
