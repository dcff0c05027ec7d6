"""The launcher by itself: warm parents, and what a step's process is like from the inside."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.integration.executor.pids import all_gone, is_alive, pids_in
from tests.waiting import until

from foldline.runtime.launcher import Given, Job, Launcher, Line, Outcome

CODE = """
    import os, random, sys, time
    from pathlib import Path

    SEED = None


    def square(number):
        return number * number


    def parent():
        return os.getppid()


    def numbers():
        import numpy as np
        return [random.random(), float(np.random.rand())]


    def spawned():
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            return pool.map(square, [1, 2, 3])


    def in_threads():
        import threading
        threading.Timer(0.05, lambda: print("late")).start()
        return 1


    def at_exit():
        import atexit
        atexit.register(print, "bye")


    def wait(path):
        Path(path).write_text(str(os.getpid()))
        print("waiting")
        time.sleep(600)


    def give(value):
        return value


    def linger():
        print("done")
        os._exit = lambda code: time.sleep(600)
        return os.getpid()


    def close_its_output():
        os.close(1)
        return 1


    def leave_a_writer():
        if os.fork() == 0:
            time.sleep(0.3)
            print("after all", flush=True)
            time.sleep(600)
        return os.getpid()
"""


MEGABYTE = 1024**2


class Bench:
    """A launcher, and modules to run."""

    def __init__(self, root: Path, launcher: Launcher) -> None:
        self.root = root
        self.launcher = launcher
        self.lines: list[str] = []
        self._number = 0

    def module(self, name: str, code: str = CODE) -> None:
        (self.root / f"{name}.py").write_text(textwrap.dedent(code))

    def job(self, function: str, module: str = "flow", **values: object) -> Job:
        self._number += 1
        return Job(
            key=str(self._number),
            python=Path(sys.executable),
            bundle=self.root,
            module=module,
            function=function,
            folder=self.root / f"job-{self._number}",
            inputs={name: Given(value=value) for name, value in values.items()},
            outputs=(("output", "any"),),
            grace_seconds=0.1,
        )

    async def run(self, function: str, module: str = "flow", **values: object) -> Outcome:
        return await self.launcher.run(self.job(function, module, **values), self.hear)

    async def text(self, function: str, module: str = "flow", **values: object) -> str | None:
        outcome = await self.run(function, module, **values)
        assert outcome.failure is None, outcome.failure
        return outcome.outputs["output"].text

    async def hear(self, lines: Sequence[Line]) -> None:
        self.lines += [line.text for line in lines]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    async with Launcher(tmp_path / "launcher", environ=environ, cap=2, idle_seconds=60) as launcher:
        bench = Bench(tmp_path, launcher)
        bench.module("flow")
        yield bench


async def test_attempts_of_one_module_share_a_parent(bench: Bench) -> None:
    assert await bench.text("parent") == await bench.text("parent")


async def test_at_most_so_many_idle_parents_stay(bench: Bench) -> None:
    pids = []
    for name in ("one", "two", "three"):
        bench.module(name)
        pids.append(int(await bench.text("parent", name) or 0))

    await until(lambda: all_gone(pids[:1]))
    assert not all_gone(pids[1:2])


async def test_an_idle_parent_ends_after_a_while(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin"}
    async with Launcher(tmp_path / "launcher", environ=environ, idle_seconds=0.2) as launcher:
        bench = Bench(tmp_path, launcher)
        bench.module("flow")
        pid = int(await bench.text("parent") or 0)

        await until(lambda: all_gone([pid]))
        assert await bench.text("give", value=1) == "1"


async def test_closing_the_launcher_ends_everything(tmp_path: Path) -> None:
    async with Launcher(tmp_path / "launcher", environ={"PATH": "/usr/bin:/bin"}) as launcher:
        bench = Bench(tmp_path, launcher)
        bench.module("flow")
        task = asyncio.create_task(bench.run("wait", path=str(tmp_path / "pid")))
        pids = await pids_in(tmp_path / "pid")

    outcome = await task
    assert all_gone(pids)
    assert outcome.failure is not None
    assert outcome.failure.kind == "infrastructure"


async def test_cancelling_an_attempt_kills_it(bench: Bench) -> None:
    task = asyncio.create_task(bench.run("wait", path=str(bench.root / "pid")))
    pids = await pids_in(bench.root / "pid")

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert all_gone(pids)


async def test_an_error_of_the_listener_ends_the_attempt_and_is_raised(bench: Bench) -> None:
    async def fail(lines: Sequence[Line]) -> None:
        raise OSError(f"no room for {lines[0].text}")

    with pytest.raises(OSError, match="no room for waiting"):
        await bench.launcher.run(bench.job("wait", path=str(bench.root / "pid")), fail)

    assert all_gone(await pids_in(bench.root / "pid"))


async def test_a_listener_that_is_slow_makes_the_step_wait(bench: Bench) -> None:
    bench.module("chatty", "def talk():\n    for number in range(50_000):\n        print(number)\n")
    gate = asyncio.Event()
    heard = 0

    async def hear(lines: Sequence[Line]) -> None:
        nonlocal heard
        heard += len(lines)
        await gate.wait()

    task = asyncio.create_task(bench.launcher.run(bench.job("talk", "chatty"), hear))
    await until(lambda: heard > 0)
    done, _ = await asyncio.wait([task], timeout=0.3)
    assert not done
    assert heard < 50_000

    gate.set()
    assert (await task).failure is None
    assert heard == 50_000


async def test_randomness_differs_between_attempts(bench: Bench) -> None:
    bench.module("fresh", "import numpy\n" + textwrap.dedent(CODE))

    first, second = await bench.text("numbers", "fresh"), await bench.text("numbers", "fresh")

    assert first is not None
    assert second is not None
    assert set(first[1:-1].split(",")).isdisjoint(second[1:-1].split(","))


async def test_randomness_that_the_module_seeded_is_the_same_in_every_attempt(bench: Bench) -> None:
    seeding = "import random, numpy\nrandom.seed(1)\nnumpy.random.seed(1)\n"
    bench.module("seeded", seeding + textwrap.dedent(CODE))

    assert await bench.text("numbers", "seeded") == await bench.text("numbers", "seeded")


async def test_steps_may_use_processes_of_their_own(bench: Bench) -> None:
    assert await bench.text("spawned") == "[1,4,9]"


async def test_threads_and_exit_handlers_of_a_step_end_as_in_any_program(bench: Bench) -> None:
    await bench.run("in_threads")
    await bench.run("at_exit")

    assert bench.lines == ["late", "bye"]


async def test_an_attempt_is_over_with_its_last_word_and_not_with_its_process(bench: Bench) -> None:
    outcome = await asyncio.wait_for(bench.run("linger"), 60)
    pid = int(outcome.outputs["output"].text or "")

    assert bench.lines == ["done"]
    assert outcome.max_rss_bytes > MEGABYTE
    assert is_alive(pid)
    await until(lambda: all_gone([pid]))


async def test_a_step_may_close_its_own_output(bench: Bench) -> None:
    assert await bench.text("close_its_output") == "1"
    assert bench.lines == []


async def test_a_process_whose_pipes_others_have_is_waited_for(bench: Bench) -> None:
    outcome = await asyncio.wait_for(bench.run("leave_a_writer"), 60)

    assert outcome.failure is None
    assert "after all" in bench.lines


async def test_an_input_of_any_size_reaches_the_step(bench: Bench) -> None:
    value = "x" * 1_000_000

    outcome = await bench.run("give", value=value)

    file = outcome.outputs["output"].file
    assert file is not None
    assert file.stat().st_size == len(value) + 2
