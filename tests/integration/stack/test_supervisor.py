"""The supervisor with real processes: restarts, order of the end, and what becomes of orphans."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.stack.programs import CRASHING, FORKING, PATIENT, STUBBORN, a_program, ignore, is_alive
from tests.waiting import until, until_sync

from foldline.cli.stack.home import Home
from foldline.cli.stack.keeper import Condition
from foldline.cli.stack.supervisor import Supervisor, supervise


async def pid_of(supervisor: Supervisor, name: str, *, other_than: int = 0) -> int:
    def running() -> int:
        pid = supervisor.condition(name).pid
        assert pid not in (None, other_than)
        return pid or 0

    return await until(running)


async def says(home: Home, name: str, word: str) -> None:
    await until(lambda: home.log(name).exists() and word in home.log(name).read_text())


async def test_a_killed_program_runs_again_within_a_second(home: Home) -> None:
    async with supervise(home, ignore) as supervisor:
        supervisor.start([a_program(PATIENT)])
        first = await pid_of(supervisor, "one")

        os.kill(first, signal.SIGKILL)
        killed = time.monotonic()
        second = await pid_of(supervisor, "one", other_than=first)

        assert time.monotonic() - killed < 1.0
        assert supervisor.condition("one").restarts == 1
        assert supervisor.condition("one").last_exit == "killed by SIGKILL"
        assert is_alive(second)


async def test_a_program_that_only_crashes_is_restarted_more_and_more_slowly(home: Home) -> None:
    moments: list[float] = []

    def note(_all: list[Condition], one: Condition) -> None:
        if one.phase == "running" and one.pid:
            moments.append(time.monotonic())

    async with supervise(home, note) as supervisor:
        supervisor.start([a_program(CRASHING)])
        await until(lambda: len(moments) >= 4)
        await until(lambda: home.log("one").read_text().count("crashing") >= 4)

    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert pauses[0] < pauses[1] < pauses[2]


async def test_a_program_that_does_not_exist_is_reported_and_tried_again(home: Home) -> None:
    async with supervise(home, ignore) as supervisor:
        program = a_program(PATIENT)
        missing = type(program)(name="one", argv=("/nowhere/at/all",), env={})
        supervisor.start([missing])

        await until(lambda: supervisor.condition("one").restarts >= 1)

        assert "/nowhere/at/all" in supervisor.condition("one").last_exit


async def test_a_program_that_ignores_sigterm_is_killed_after_its_grace_time(home: Home) -> None:
    async with supervise(home, ignore) as supervisor:
        supervisor.start([a_program(STUBBORN, grace_seconds=0.2)])
        pid = await pid_of(supervisor, "one")
        await says(home, "one", "up")

    assert not is_alive(pid)
    assert supervisor.condition("one").last_exit == "killed by SIGKILL"


async def test_later_stages_end_before_earlier_ones(home: Home) -> None:
    stopped: list[str] = []

    def note(_all: list[Condition], one: Condition) -> None:
        if one.phase == "stopped":
            stopped.append(one.name)

    async with supervise(home, note) as supervisor:
        supervisor.start([a_program(PATIENT, name="server")])
        supervisor.start([a_program(PATIENT, name="service")])
        await says(home, "server", "up")
        await says(home, "service", "up")

    assert stopped == ["service", "server"]


async def test_nothing_of_a_program_outlives_it(home: Home) -> None:
    async with supervise(home, ignore) as supervisor:
        supervisor.start([a_program(FORKING)])
        pid = await pid_of(supervisor, "one")
        await says(home, "one", "up")
        child = int(home.log("one").read_text().split()[0])

        os.kill(pid, signal.SIGKILL)

        await until(lambda: not is_alive(child))


@contextmanager
def supervisor_process(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor as a process of its own, keeping one patient program."""
    code = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from foldline.cli.stack.home import Home
        from foldline.cli.stack.supervisor import supervise
        from tests.integration.stack.programs import PATIENT, STUBBORN, a_program

        async def main():
            def show(everything, one):
                if one.pid:
                    print(one.pid, flush=True)
            async with supervise(Home(Path({str(home.folder)!r})), show) as supervisor:
                supervisor.start([a_program(STUBBORN)])
                await asyncio.Event().wait()

        asyncio.run(main())
    """)
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root) as process:
        try:
            yield process
        finally:
            process.kill()


def test_what_is_kept_dies_with_a_killed_supervisor(home: Home) -> None:
    with supervisor_process(home) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert is_alive(child)

        process.kill()

        until_sync(lambda: not is_alive(child))


async def test_output_is_kept_across_restarts_and_after_a_kill(home: Home) -> None:
    async with supervise(home, ignore) as supervisor:
        supervisor.start([a_program(PATIENT)])
        await says(home, "one", "up")
        first = await pid_of(supervisor, "one")
        os.kill(first, signal.SIGKILL)
        await pid_of(supervisor, "one", other_than=first)

        await until(lambda: home.log("one").read_text().count("up") == 2)


async def test_stopping_in_the_pause_before_a_restart_is_quick(home: Home) -> None:
    async with asyncio.timeout(5), supervise(home, ignore) as supervisor:
        supervisor.start([a_program(CRASHING)])
        await until(lambda: supervisor.condition("one").restarts >= 3)
