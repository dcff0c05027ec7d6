"""A fork of the warm parent leaves out what Python does after forks; what a step sees of that is nothing."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from foldline.runtime.jobs import Job, Line
from foldline.runtime.launcher import Launcher

CODE = """
    import json, os, random, threading, time

    FIRST = random.random()

    def number():
        return random.random()

    def fork():
        thread = threading.Thread(target=time.sleep, args=(0.2,))
        thread.start()
        ear, mouth = os.pipe()
        if os.fork() == 0:
            os.write(mouth, json.dumps([random.random(), threading.active_count()]).encode())
            os._exit(0)
        thread.join()
        os.wait()
        return [*json.loads(os.read(ear, 1000)), random.random()]
"""


class Steps:
    def __init__(self, root: Path, launcher: Launcher) -> None:
        self._root = root
        self._launcher = launcher
        self._count = 0

    async def value(self, function: str) -> Any:
        self._count += 1
        job = Job(
            key=f"{function} {self._count}",
            python=Path(sys.executable),
            bundle=self._root,
            module="flow",
            function=function,
            folder=self._root / f"job-{self._count}",
            outputs=(("output", "any"),),
        )

        async def hear(_: Sequence[Line]) -> None:
            """There is nothing to hear."""

        outcome = await self._launcher.run(job, hear)
        assert outcome.failure is None, outcome.failure
        return json.loads(outcome.outputs["output"].text or "null")


@pytest.fixture
async def steps(tmp_path: Path) -> AsyncIterator[Steps]:
    (tmp_path / "flow.py").write_text(textwrap.dedent(CODE))
    async with Launcher(tmp_path / "launcher", environ={"PATH": "/usr/bin:/bin"}) as launcher:
        yield Steps(tmp_path, launcher)


async def test_attempts_of_a_module_that_has_drawn_numbers_do_not_draw_alike(steps: Steps) -> None:
    drawn = {await steps.value("number") for _ in range(3)}

    assert len(drawn) == 3


async def test_a_fork_that_a_step_makes_has_randomness_and_threads_of_its_own(steps: Steps) -> None:
    drawn_there, threads_there, drawn_here = await steps.value("fork")

    assert threads_there == 1
    assert drawn_there != drawn_here
