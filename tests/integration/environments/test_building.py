"""Environments built by the real uv, also by several processes at once, one of them killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.integration.environments.building import PYTHON, names_in, of, output_of
from tests.integration.environments.conftest import StartBuilder
from tests.integration.executor.pids import all_gone, pids_in
from tests.packages import Packages
from tests.waiting import until

from foldline import environments
from foldline.environments import Environments


def slow(folder: Path) -> str:
    """Code of a build that says that it runs, and waits for a go."""
    return (
        f"Path({str(folder / 'pids')!r}).write_text(str(os.getpid()))\n"
        f"    while not Path({str(folder / 'go')!r}).exists(): time.sleep(0.01)"
    )


async def test_an_environment_of_nothing_is_a_bare_one(root: Path) -> None:
    python = await environments.build(of(), root)

    assert await output_of(python, "import sys; print(sys.prefix)") == str(python.parent.parent)
    assert await output_of(python, "import importlib.util as u; print(u.find_spec('msgspec'))") == "None"


async def test_the_same_environment_is_built_once(root: Path) -> None:
    found = await asyncio.gather(*(environments.build(of(), root) for _ in range(3)))

    assert len(set(found)) == 1
    assert len(names_in(root)) == 1


async def test_another_lock_is_another_environment(root: Path) -> None:
    await environments.build(of(), root)
    await environments.build(of("# nothing\n"), root)

    assert len(names_in(root)) == 2


async def test_another_builder_does_not_take_what_an_older_one_made(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await environments.build(of(), root)
    monkeypatch.setattr("foldline.environments.venvs.BUILDER", "another")
    await environments.build(of(), root)

    assert len(names_in(root)) == 2


async def test_a_build_tells_what_it_does(root: Path, packages: Packages) -> None:
    told: list[str] = []

    async def tell(line: str) -> None:
        told.append(line)

    await environments.build(of(packages.wheel("foldpear", "1.0")), root, tell)

    assert told[0].startswith(f"building the environment: Python {PYTHON}.")
    assert told[0].endswith("1 package")
    assert " + foldpear==1.0" in told
    assert told[-1].startswith("the environment is ready")


async def test_what_is_in_the_cache_needs_no_index(
    tmp_path: Path, packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = of(packages.wheel("foldpear", "1.0"))
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.delenv("UV_FIND_LINKS")
    with packages.served() as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index)
        await environments.build(environment, tmp_path / "first")
    asked = list(packages.asked)

    # The server is gone: whoever asks it is refused.
    python = await environments.build(environment, tmp_path / "second")

    assert asked
    assert await output_of(python, "import foldpear; print(foldpear.VERSION)") == "1.0"


async def test_one_process_builds_and_the_other_waits(
    root: Path, tmp_path: Path, packages: Packages, start_builder: StartBuilder
) -> None:
    environment = of(packages.source("foldslow", "1.0", slow(tmp_path)))
    first = await start_builder(environment)
    await pids_in(tmp_path / "pids")
    second = await start_builder(environment)
    await second.line("waiting for the environment")
    (tmp_path / "go").touch()

    found = [await one.line("python:") for one in (first, second)]

    assert found[0] == found[1]
    assert not any(line.startswith("building") for line in second.lines)
    assert len(names_in(root)) == 1


async def test_a_killed_build_leaves_no_process_and_nothing_that_is_taken_for_whole(
    root: Path, tmp_path: Path, packages: Packages, start_builder: StartBuilder
) -> None:
    environment = of(packages.source("foldslow", "1.0", slow(tmp_path)))
    first = await start_builder(environment)
    pids = await pids_in(tmp_path / "pids")
    second = await start_builder(environment)
    await second.line("waiting for the environment")

    await first.kill()
    await until(lambda: all_gone(pids))
    (tmp_path / "go").touch()
    python = (await second.line("python:")).removeprefix("python: ")

    assert await output_of(Path(python), "import foldslow; print(foldslow.VERSION)") == "1.0"
    assert names_in(root) == [Path(python).parent.parent.name]


async def test_a_build_that_nobody_waits_for_any_more_ends_with_all_its_processes(
    root: Path, tmp_path: Path, packages: Packages
) -> None:
    environment = of(packages.source("foldslow", "1.0", slow(tmp_path)))
    task = asyncio.create_task(environments.build(environment, root))
    pids = await pids_in(tmp_path / "pids")

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    await until(lambda: all_gone(pids))
    assert names_in(root) == []


async def test_what_a_killed_build_left_is_swept(
    root: Path, tmp_path: Path, packages: Packages, start_builder: StartBuilder
) -> None:
    builder = await start_builder(of(packages.source("foldslow", "1.0", slow(tmp_path))))
    await pids_in(tmp_path / "pids")
    Environments(root).sweep()
    assert len(names_in(root)) == 1  # it is still being built

    await builder.kill()
    Environments(root).sweep()

    assert names_in(root) == []


async def test_an_environment_whose_interpreter_is_gone_is_built_again(root: Path) -> None:
    python = await environments.build(of(), root)
    python.unlink()
    python.symlink_to("/nowhere/python")

    again = await environments.build(of(), root)

    assert again == python
    assert await output_of(again, "print('here')") == "here"


async def test_byte_code_is_written_by_the_first_who_imports(root: Path, packages: Packages) -> None:
    python = await environments.build(of(packages.wheel("foldpear", "1.0")), root)
    library = python.parent.parent / "lib" / f"python{PYTHON}" / "site-packages"

    await asyncio.gather(*(output_of(python, "import foldpear") for _ in range(4)))

    assert len(list(library.glob("__pycache__/foldpear.*.pyc"))) == 1
    assert list(library.glob("__pycache__/foldpear.*.pyc.*")) == []


def test_no_requirements_need_no_lock() -> None:
    assert environments.lock([], PYTHON) == ""


def test_a_lock_names_every_package_with_its_hash_and_no_index(packages: Packages) -> None:
    one = packages.wheel("foldpear", "1.0")
    packages.wheel("foldpear", "2.0")
    packages.wheel("foldtree", "1.0", requires=["foldpear<2"])

    lock = environments.lock(["foldtree"], PYTHON)

    assert one.split("sha256:")[1].strip() in lock
    assert "foldtree==1.0" in lock
    assert str(packages.folder) not in lock
