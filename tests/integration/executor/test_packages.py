"""Attempts in environments with real packages: from the first build to what is left of it at the end."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

import pytest
from tests.integration.executor.installation import PYTHON, Scheduler, Site, executor, inputs
from tests.packages import Packages
from tests.waiting import until

from foldline.domain import releases
from foldline.domain.spec import Environment
from foldline.domain.work import Work
from foldline.environments import interpreters
from foldline_executor import home
from foldline_executor.places import Bounds, Places

STEPS = """
    import os, sys, time
    from pathlib import Path


    def version(until=""):
        import foldpear
        while until and not Path(until).exists():
            time.sleep(0.01)
        return [foldpear.VERSION, foldpear.__file__, foldpear.__cached__, sys.dont_write_bytecode]


    def python():
        return sys.version.split()[0]


    def nothing():
        return None
"""


@pytest.fixture
async def orchard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    packages = Packages(tmp_path / "packages")
    for name in list(os.environ):  # noqa: TID251 - what the developer's machine says is not to matter
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_FIND_LINKS", str(packages.folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    return packages


@pytest.fixture
async def here(tmp_path: Path, orchard: Packages) -> Site:
    site = Site(tmp_path)
    await site.release(STEPS)
    return site


async def locked(here: Site, *lock: str) -> str:
    """The digest of an environment in the store."""
    environment = Environment(python=PYTHON, lock="".join(lock))
    return await here.store.put_bytes(releases.canonical(environment))


async def texts(here: Site, work: Work) -> list[str]:
    return [line.text for line in await here.log(work)]


def environments_in(here: Site) -> list[str]:
    return sorted(path.name for path in (here.home / "envs").iterdir() if path.is_dir())


def written(cached: str) -> int:
    """When that byte code was."""
    path = Path(cached)
    assert [other for other in path.parent.iterdir() if other.name.startswith("foldpear.")] == [path]
    return path.stat().st_mtime_ns


async def test_two_versions_of_a_package_run_at_the_same_time(
    here: Site, orchard: Packages, tmp_path: Path
) -> None:
    go = inputs(until=str(tmp_path / "go"))
    old = await locked(here, orchard.wheel("foldpear", "1.0"))
    new = await locked(here, orchard.wheel("foldpear", "2.0"))
    async with executor(here) as scheduler:
        orders = [here.work("version", environment=one, inputs=go) for one in (old, new)]
        for work in orders:
            await scheduler.order(work)
        await asyncio.gather(*(scheduler.started(work) for work in orders))
        (tmp_path / "go").touch()
        values = [await scheduler.value(work) for work in orders]

    assert [value[0] for value in values] == ["1.0", "2.0"]


@pytest.mark.parametrize("found", interpreters.installed(), ids=lambda one: one.version)
async def test_a_step_runs_with_the_python_of_its_release(
    here: Site, orchard: Packages, found: interpreters.Interpreter
) -> None:
    environment = Environment(python=found.version, lock=orchard.wheel("foldpear", "1.0"))
    digest = await here.store.put_bytes(releases.canonical(environment))
    async with executor(here) as scheduler:
        work = here.work("python", environment=digest)
        await scheduler.order(work)

        assert await scheduler.value(work) == found.full_version


async def test_a_python_that_the_machine_lacks_is_answered_with_those_it_has(here: Site) -> None:
    digest = await here.store.put_bytes(releases.canonical(Environment(python="3.99")))
    async with executor(here) as scheduler:
        work = here.work("nothing", environment=digest)
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    # Another executor may have it.
    assert (failure.kind, failure.reason) == ("infrastructure", "NO_SUCH_PYTHON")
    assert f"it has {PYTHON} (" in failure.message


async def test_a_package_that_the_platform_does_not_have_is_named_and_not_tried_again(
    here: Site, orchard: Packages
) -> None:
    environment = await locked(
        here,
        orchard.wheel("foldpear", "1.0"),
        orchard.wheel("foldmac", "1.0", tag="cp311-cp311-macosx_11_0_arm64"),
    )
    async with executor(here) as scheduler:
        work = here.work("version", environment=environment)
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("invalid", "NOT_FOR_THIS_PLATFORM")
    assert "foldmac==1.0 has no wheel for the platform" in failure.message
    said = await texts(here, work)
    assert any(line.startswith("building the environment") for line in said)
    assert any("macosx_11_0_arm64" in line for line in said)


async def test_a_package_that_no_index_has_is_explained_by_uv(here: Site) -> None:
    environment = await locked(here, "no-such-package-at-all==1.0 --hash=sha256:" + "0" * 64)
    async with executor(here) as scheduler:
        work = here.work("nothing", environment=environment)
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("invalid", "PACKAGE_NOT_FOUND")
    assert "no-such-package-at-all" in failure.message
    assert any("No solution found" in line for line in await texts(here, work))


async def test_all_who_wait_for_a_build_are_told_of_it_while_it_goes_on(
    here: Site, orchard: Packages, tmp_path: Path
) -> None:
    wait = f"while not Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)"
    environment = await locked(here, orchard.source("foldpear", "1.0", wait))
    async with executor(here) as scheduler:
        orders = [here.work("version", environment=environment) for _ in range(2)]
        for work in orders:
            await scheduler.order(work)
        for work in orders:
            await until(partial(is_told, scheduler, work, "building the environment"), timeout=30)
        (tmp_path / "go").touch()
        for work in orders:
            assert (await scheduler.ended(work)).kind == "succeeded"

    for work in orders:
        said = await texts(here, work)
        assert sum(line.startswith("building the environment") for line in said) == 1
        assert " + foldpear==1.0" in said


def is_told(scheduler: Scheduler, work: Work, start: str) -> bool:
    """Live, in the log of that attempt."""
    return any(
        line.text.startswith(start)
        for chunk in scheduler.live
        if chunk.key == work.key
        for line in chunk.lines
    )


async def test_byte_code_is_written_once_whatever_the_executor_is_told(
    here: Site, orchard: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = await locked(here, orchard.wheel("foldpear", "1.0"))
    async with executor(here) as scheduler:
        orders = [here.work("version", environment=environment) for _ in range(4)]
        for work in orders:
            await scheduler.order(work)
        values = [await scheduler.value(work) for work in orders]
        first = written(values[0][2])
        last = here.work("version", environment=environment)
        await scheduler.order(last)
        await scheduler.ended(last)

    assert [value[3] for value in values] == [False] * 4
    assert written(values[0][2]) == first
    assert list((here.home / "bundles").glob("*/__pycache__/flow.*.pyc")) != []


async def test_environments_that_nobody_uses_go_and_those_of_running_steps_stay(
    here: Site, orchard: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foldline_executor.places.RESTING_SECONDS", 0.0)
    go = inputs(until=str(tmp_path / "go"))
    lock = orchard.wheel("foldpear", "1.0")
    used, idle, newest = [await locked(here, lock, f"# {number}\n") for number in range(3)]
    async with executor(here, keep_environments=0) as scheduler:
        running = here.work("version", environment=used, inputs=go)
        await scheduler.order(running)
        await scheduler.started(running)
        before = environments_in(here)
        for environment in (idle, newest):
            work = here.work("version", environment=environment)
            await scheduler.order(work)
            assert (await scheduler.ended(work)).kind == "succeeded"
        after = environments_in(here)
        (tmp_path / "go").touch()
        report = await scheduler.ended(running)

    assert report.kind == "succeeded"
    assert set(before) <= set(after)
    assert len(after) == 2  # that of the step, and the newest


async def test_inputs_of_a_remote_store_are_bounded_and_those_of_running_steps_stay(
    here: Site,
) -> None:
    digests = [await here.store.put_bytes(bytes([number]) * 1000) for number in range(4)]
    here.store.local_path = lambda _: None  # type: ignore[method-assign, assignment]  # as if it were remote
    with home.hold(here.home) as held_home:
        places = Places(here.store, held_home, bounds=Bounds(artifact_bytes=1500))
        with places.stay(silent) as stay:
            held = [await stay.artifact(digest) for digest in digests[:2]]
            with places.stay(silent) as other:
                for digest in digests[2:]:
                    await other.artifact(digest)
            await places.collect()
            assert all(path.exists() for path in held)
            assert len(list(held_home.artifacts.iterdir())) == 2
        await places.collect()
        assert len(list(held_home.artifacts.iterdir())) == 1


async def silent(_: str) -> None:
    pass
