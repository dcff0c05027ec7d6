"""Lists that maps gave, as inputs: every entry read by its own encoding, however many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integration.executor.installation import Site, executor

from foldline.domain import lists
from foldline.domain.artifacts import Artifact, inline
from foldline.domain.work import Input, Work

STEPS = """
    import os
    from pathlib import Path


    def array(size):
        import numpy as np
        return np.ones(size)


    def table(size):
        import pandas as pd
        return pd.DataFrame({"n": range(size)})


    def file(size):
        Path("part.csv").write_text("x" * size)
        return Path("part.csv")


    def text(size):
        return "x" * size


    def sizes(data):
        found = []
        for one in data:
            if one is None or isinstance(one, (int, str)):
                found.append(one if not isinstance(one, str) else len(one))
            elif isinstance(one, Path):
                found.append([one.name, len(one.read_text())])
            elif isinstance(one, list):
                found.append(sizes(one))
            else:
                found.append([type(one).__name__, len(one)])
        return found


    def total(data):
        import resource
        return [len(data), sum(data), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]
"""


@pytest.fixture
async def here(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    await site.release(STEPS)
    return site


async def kept(here: Site, entries: list[Artifact | None]) -> Artifact:
    """The list as an artifact that a map would have given."""
    found = lists.stored(entries)
    await here.store.put_bytes(found.content)
    return found.artifact


async def joined(here: Site, parts: list[Artifact]) -> Artifact:
    found = lists.joined(parts)
    await here.store.put_bytes(found.content)
    return found.artifact


def takes(here: Site, function: str, artifact: Artifact) -> Work:
    return here.work(function, inputs={"data": Input(artifact=artifact)})


async def made(here: Site, scheduler: Any, function: str, size: int) -> Artifact:
    work = here.work(function, inputs={"size": Input(value=size)})
    await scheduler.order(work)
    artifact: Artifact = (await scheduler.ended(work)).outputs["output"]
    return artifact


async def test_each_entry_is_read_by_its_own_encoding(here: Site) -> None:
    async with executor(here) as scheduler:
        entries: list[Artifact | None] = [
            await made(here, scheduler, "array", 3),
            await made(here, scheduler, "table", 4),
            None,
            await made(here, scheduler, "file", 5),
            await made(here, scheduler, "text", 100_000),
            inline(7),
        ]
        artifact = await kept(here, entries)
        work = takes(here, "sizes", artifact)
        await scheduler.order(work)
        report = await scheduler.ended(work)

    assert report.outputs["output"].value == [
        ["ndarray", 3],
        ["DataFrame", 4],
        None,
        ["part.csv", 5],
        100_000,
        7,
    ]
    assert report.reads == (artifact.digest, *(one.digest for one in entries if one is not None))


async def test_a_list_of_lists_counts_as_one(here: Site) -> None:
    async with executor(here) as scheduler:
        large = await kept(here, [await made(here, scheduler, "array", size) for size in (1, 2)])
        artifact = await joined(here, [large, await kept(here, [inline(3)]), await kept(here, [])])
        work = takes(here, "sizes", artifact)
        await scheduler.order(work)

        assert await scheduler.value(work) == [["ndarray", 1], ["ndarray", 2], 3]


async def test_what_a_map_in_a_map_gave_is_a_list_in_a_list(here: Site) -> None:
    async with executor(here) as scheduler:
        inner = [await kept(here, [await made(here, scheduler, "array", 2)]), await kept(here, [inline(1)])]
        work = takes(here, "sizes", await kept(here, list(inner)))
        await scheduler.order(work)

        assert await scheduler.value(work) == [[["ndarray", 2]], [1]]


async def test_a_list_is_fetched_from_a_remote_store(tmp_path: Path) -> None:
    here = Site(tmp_path, "memory:///")
    await here.release(STEPS)
    async with executor(here) as scheduler:
        entries: list[Artifact | None] = [await made(here, scheduler, "array", size) for size in range(40)]
        work = takes(here, "sizes", await kept(here, entries))
        await scheduler.order(work)

        assert await scheduler.value(work) == [["ndarray", size] for size in range(40)]


async def test_a_hundred_thousand_small_entries_reach_the_step(here: Site) -> None:
    numbers = [inline(number) for number in range(100_000)]
    parts = [await kept(here, list(numbers[start : start + 100])) for start in range(0, 100_000, 100)]
    artifact = await joined(here, parts)
    async with executor(here) as scheduler:
        work = takes(here, "total", artifact)
        await scheduler.order(work)
        report = await scheduler.ended(work)

    found: Any = report.outputs["output"].value
    length, total, max_rss_kib = found
    assert (length, total) == (100_000, sum(range(100_000)))
    assert max_rss_kib < 200 * 1024
    assert report.reads == (artifact.digest,)


async def test_what_is_no_list_is_no_fault_of_the_platform(here: Site) -> None:
    digest = await here.store.put_bytes(b"{}")
    async with executor(here) as scheduler:
        work = takes(here, "sizes", Artifact(digest=digest, type="list", encoding="list", size_bytes=2))
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("invalid", "INPUT_NOT_READABLE")
