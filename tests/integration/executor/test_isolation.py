"""What a step leaves behind does not reach the next one, and what it takes has limits."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.integration.executor.pids import all_gone, is_alive, is_stopped, pids_in
from tests.waiting import until

from foldline.runtime.jobs import Limits
from foldline.runtime.launcher import Given, Job, Launcher, Line, Outcome

pytestmark = pytest.mark.usefixtures("only_our_kills")

CODE = """
    import locale, os, random, resource, signal, socket, subprocess, sys, threading, time, warnings
    from pathlib import Path

    COUNT = 0
    SEEN = []


    def look():
        "Everything that another step could have changed."
        mask = os.umask(0o022)
        os.umask(mask)
        return {
            "count": COUNT, "seen": len(SEEN), "files": sorted(os.listdir(".")),
            "environment": {name: value for name, value in os.environ.items() if name != "TMPDIR"},
            "handler": str(signal.getsignal(signal.SIGUSR1)),
            "threads": threading.active_count(),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "umask": mask, "locale": locale.setlocale(locale.LC_ALL), "path": sys.path,
            "files_limit": resource.getrlimit(resource.RLIMIT_NOFILE), "nice": os.nice(0),
            "stdin": os.fstat(0).st_rdev,
            "children": Path(f"/proc/self/task/{os.getpid()}/children").read_text(),
            "recursion": sys.getrecursionlimit(), "timeout": socket.getdefaulttimeout(),
            "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
            "filters": len(warnings.filters),
        }


    def leave_global():
        global COUNT
        COUNT += 1

    def leave_in_list():
        SEEN.append(1)

    def leave_folder():
        os.chdir("/tmp")

    def leave_file():
        Path("left").touch()

    def leave_environment():
        os.environ["LEFT"] = "1"

    def leave_handler():
        signal.signal(signal.SIGUSR1, lambda *_: None)

    def leave_blocked():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])

    def leave_thread():
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

    def leave_descriptor():
        os.open("/dev/null", os.O_RDONLY)

    def leave_umask():
        os.umask(0o007)

    def leave_locale():
        locale.setlocale(locale.LC_ALL, "C")

    def leave_path():
        sys.path.insert(0, "/nowhere")

    def leave_limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    def leave_niceness():
        os.nice(1)

    def leave_stdin():
        os.dup2(os.open("/etc/passwd", os.O_RDONLY | os.O_CLOEXEC), 0)

    def leave_child():
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

    def leave_recursion():
        sys.setrecursionlimit(5000)

    def leave_timeout():
        socket.setdefaulttimeout(3)

    def leave_filters():
        warnings.simplefilter("ignore")


    def everything():
        for name, function in list(globals().items()):
            if name.startswith("leave_"):
                function()


    def pid():
        return os.getpid()

    def seeded():
        random.seed(1)
        return random.random()

    def number():
        return random.random()

    def say(text):
        print(text)
        sys.stdout.write(text + " without an end")
        sys.stderr.write(text)

    def crash():
        os._exit(3)

    def die():
        os.kill(os.getpid(), signal.SIGSEGV)

    def raise_it():
        raise ValueError("no such column")

    def quit():
        sys.exit(4)

    def wait(path):
        Path(path).write_text(str(os.getpid()))
        time.sleep(600)

    def large():
        return "x" * 300_000

    def hog(megabytes):
        data = bytearray(megabytes * 1024 * 1024)
        time.sleep(600)

    def hog_in_child(megabytes):
        code = f"import time; data = bytearray({megabytes} * 1024 * 1024); time.sleep(600)"
        subprocess.run([sys.executable, "-c", code])

    def open_many(count):
        found = [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]
        return len(found)

    def write(megabytes):
        with open("big", "wb") as file:
            for _ in range(megabytes):
                file.write(bytes(1024 * 1024))

    def write_several(megabytes):
        for number in range(megabytes):
            Path(f"part-{number}").write_bytes(bytes(1024 * 1024))

    def processes(count):
        [subprocess.Popen(["sleep", "600"]) for _ in range(count)]
        time.sleep(600)

    def threads_wanted():
        return [os.environ.get("OMP_NUM_THREADS"), len(os.sched_getaffinity(0))]

    def core_limit():
        return resource.getrlimit(resource.RLIMIT_CORE)[0]

    def daemon(path):
        "As daemons do: fork, setsid, fork."
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                Path(path).write_text(str(os.getpid()))
                time.sleep(600)
            os._exit(0)
        os.wait()
        while not Path(path).exists():
            time.sleep(0.01)
        return "done"
"""


class Bench:
    def __init__(self, root: Path, launcher: Launcher) -> None:
        self.launcher = launcher
        self.lines: dict[str, list[Line]] = {}
        self._root = root
        self._number = 0

    def job(
        self, function: str, *, shared: bool = False, limits: Limits | None = None, **values: object
    ) -> Job:
        self._number += 1
        return Job(
            key=f"{function} {self._number}",
            python=Path(sys.executable),
            bundle=self._root,
            module="flow",
            function=function,
            folder=self._root / f"job-{self._number}",
            inputs={name: Given(value=value) for name, value in values.items()},
            outputs=(("output", "any"),),
            grace_seconds=0.1,
            is_shared=shared,
            limits=limits or Limits(),
        )

    async def carry_out(self, job: Job) -> Outcome:
        lines = self.lines[job.key] = []

        async def hear(some: Sequence[Line]) -> None:
            lines.extend(some)

        return await self.launcher.run(job, hear)

    async def run(self, function: str, **options: Any) -> Outcome:
        return await self.carry_out(self.job(function, **options))

    async def value(self, function: str, **options: Any) -> Any:
        outcome = await self.run(function, **options)
        assert outcome.failure is None, outcome.failure
        return json.loads(outcome.outputs["output"].text or "null")

    async def reason(self, function: str, **options: Any) -> str:
        outcome = await self.run(function, **options)
        assert outcome.failure is not None
        return outcome.failure.reason


async def _nobody(_: Sequence[Line]) -> None:
    """Hears of an attempt's lines."""


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    (tmp_path / "flow.py").write_text(textwrap.dedent(CODE))
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    async with Launcher(tmp_path / "launcher", environ=environ) as launcher:
        yield Bench(tmp_path, launcher)


LEAVING = sorted(
    line.strip().removeprefix("def ").removesuffix("():")
    for line in CODE.splitlines()
    if line.strip().startswith("def leave_")
)


async def test_nothing_leaks_from_a_fresh_attempt_into_the_next(bench: Bench) -> None:
    before = await bench.value("look")
    await bench.run("everything")

    assert await bench.value("look") == before


@pytest.mark.parametrize("function", LEAVING)
async def test_what_a_shared_attempt_leaves_does_not_reach_the_next(bench: Bench, function: str) -> None:
    before = await bench.value("look", shared=True)
    first = await bench.value("pid", shared=True)
    job = bench.job(function, shared=True)
    outcome = await bench.carry_out(job)
    after = await bench.value("look", shared=True)

    assert outcome.failure is None
    assert after == before
    if function == "leave_file":
        assert await bench.value("pid", shared=True) == first
    else:
        assert "is not used again" in bench.lines[job.key][-1].text
        assert not is_alive(first)


async def test_shared_attempts_take_turns_in_one_process(bench: Bench) -> None:
    pids = {await bench.value("pid", shared=True) for _ in range(20)}

    assert len(pids) == 1


async def test_two_shared_attempts_at_once_are_in_two_processes(bench: Bench, tmp_path: Path) -> None:
    waiting = asyncio.create_task(bench.run("wait", shared=True, path=str(tmp_path / "pid")))
    (first,) = await pids_in(tmp_path / "pid")

    assert await bench.value("pid", shared=True) != first

    waiting.cancel()
    await until(lambda: all_gone([first]))


async def test_each_line_is_in_the_log_of_its_own_shared_attempt(bench: Bench) -> None:
    jobs = [bench.job("say", shared=True, text=f"attempt {number}") for number in range(10)]
    for job in jobs:
        await bench.carry_out(job)

    for number, job in enumerate(jobs):
        said = sorted(line.text for line in bench.lines[job.key])
        text = f"attempt {number}"
        assert said == [text, text, f"{text} without an end"]


async def test_a_seed_of_one_shared_attempt_is_not_that_of_the_next(bench: Bench) -> None:
    seen = set()
    for _ in range(3):
        await bench.value("seeded", shared=True)
        seen.add(await bench.value("number", shared=True))

    assert len(seen) == 3


@pytest.mark.parametrize(
    ("function", "reason"),
    [("crash", "STEP_EXITED"), ("quit", "STEP_EXITED"), ("die", "STEP_KILLED")],
)
async def test_the_crash_of_a_shared_attempt_is_its_own(bench: Bench, function: str, reason: str) -> None:
    first = await bench.value("pid", shared=True)

    assert await bench.reason(function, shared=True) == reason
    assert await bench.value("pid", shared=True) != first


async def test_an_exception_does_not_cost_the_shared_process(bench: Bench) -> None:
    first = await bench.value("pid", shared=True)

    assert await bench.reason("raise_it", shared=True) == "STEP_RAISED"
    assert await bench.value("pid", shared=True) == first


@pytest.mark.parametrize("forced", [True, False])
async def test_a_shared_attempt_can_be_stopped(bench: Bench, tmp_path: Path, forced: bool) -> None:
    job = bench.job("wait", shared=True, path=str(tmp_path / "pid"))
    running = asyncio.create_task(bench.carry_out(job))
    (pid,) = await pids_in(tmp_path / "pid")
    bench.launcher.stop(job.key, forced=forced)
    outcome = await running

    assert outcome.failure is not None
    assert outcome.failure.reason == "STEP_STOPPED"
    assert not is_alive(pid)


async def test_a_shared_attempt_has_its_time_limit(bench: Bench, tmp_path: Path) -> None:
    job = dataclasses.replace(bench.job("wait", shared=True, path=str(tmp_path / "pid")), run_seconds=0.3)
    outcome = await bench.carry_out(job)

    assert outcome.failure is not None
    assert outcome.failure.reason == "STEP_TIMED_OUT"


@pytest.mark.parametrize("shared", [False, True])
async def test_a_large_output_comes_as_a_file(bench: Bench, shared: bool) -> None:
    outcome = await bench.run("large", shared=shared)

    file = outcome.outputs["output"].file
    assert file is not None
    assert file.stat().st_size > 300_000


async def test_a_spare_that_is_killed_costs_no_attempt(bench: Bench) -> None:
    (spare,) = await _spares_but(await bench.value("pid"))
    os.kill(spare, signal.SIGKILL)

    assert await bench.value("pid")


@pytest.mark.parametrize("shared", [False, True])
async def test_who_is_killed_before_it_has_read_its_attempt_does_not_cost_it(
    bench: Bench, shared: bool
) -> None:
    worker = await bench.value("pid", shared=shared)
    if not shared:
        (worker,) = await _spares_but(worker)
    os.kill(worker, signal.SIGSTOP)
    await until(lambda: is_stopped(worker))
    given = asyncio.Event()
    job = bench.job("pid", shared=shared)
    running = asyncio.create_task(bench.launcher.run(job, _nobody, given.set))
    await asyncio.wait_for(given.wait(), 30)

    os.kill(worker, signal.SIGKILL)

    outcome = await running
    assert outcome.failure is None
    assert outcome.outputs["output"].text != str(worker)


async def test_spares_end_with_the_launcher(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(textwrap.dedent(CODE))
    async with Launcher(tmp_path / "launcher", environ={"PATH": "/usr/bin:/bin"}) as launcher:
        bench = Bench(tmp_path, launcher)
        worker = await bench.value("pid", shared=True)
        spares = await _spares_but(await bench.value("pid"), count=2)

    assert all_gone([worker, *spares])


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("function", ["hog", "hog_in_child"])
async def test_who_takes_too_much_memory_is_ended(bench: Bench, function: str, shared: bool) -> None:
    outcome = await bench.run(
        function, shared=shared, megabytes=200, limits=Limits(memory_bytes=100 * 1024**2)
    )

    assert outcome.failure is not None
    assert outcome.failure.reason == "MEMORY_EXCEEDED"
    assert "the step's limit is 100 MiB" in outcome.failure.message


@pytest.mark.parametrize("shared", [False, True])
async def test_open_files_are_limited(bench: Bench, shared: bool) -> None:
    outcome = await bench.run("open_many", shared=shared, count=100, limits=Limits(open_files=50))

    assert outcome.failure is not None
    assert "Too many open files" in outcome.failure.message


async def test_a_limit_of_one_shared_attempt_is_not_that_of_the_next(bench: Bench) -> None:
    limits = Limits(open_files=50, cpu=1, disk_bytes=1024**2)
    before = await bench.value("threads_wanted", shared=True)
    pid = await bench.value("pid", shared=True, limits=limits)

    assert await bench.value("threads_wanted", shared=True) == before
    assert await bench.value("pid", shared=True) == pid


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("function", ["write", "write_several"])
async def test_the_disk_is_limited(bench: Bench, function: str, shared: bool) -> None:
    limits = Limits(disk_bytes=5 * 1024**2)

    assert await bench.reason(function, shared=shared, megabytes=20, limits=limits) == "DISK_EXCEEDED"


async def test_the_number_of_processes_is_limited(bench: Bench) -> None:
    limits = Limits(processes=10)

    assert await bench.reason("processes", count=20, limits=limits) == "PROCESSES_EXCEEDED"


@pytest.mark.parametrize("shared", [False, True])
async def test_a_step_uses_the_cores_it_asked_for(bench: Bench, shared: bool) -> None:
    assert await bench.value("threads_wanted", shared=shared, limits=Limits(cpu=1)) == ["1", 1]


async def test_no_step_leaves_a_core_file(bench: Bench) -> None:
    assert await bench.value("core_limit") == 0


@pytest.mark.parametrize("shared", [False, True])
async def test_a_daemon_ends_with_its_step(bench: Bench, tmp_path: Path, shared: bool) -> None:
    assert await bench.value("daemon", shared=shared, path=str(tmp_path / "pid")) == "done"
    (pid,) = await pids_in(tmp_path / "pid")

    await until(lambda: all_gone([pid]))


async def _spares_but(ended: int, count: int = 1) -> list[int]:
    """Once there are so many, and the process of the attempt that is over has gone."""

    def found() -> list[int]:
        spares = _spares()
        assert len(spares) == count
        assert ended not in spares
        return spares

    return await until(found)


def _spares() -> list[int]:
    """Children of the warm parents of this process."""
    parents = [pid for pid in _children(os.getpid()) if _name(pid) == "foldline-parent"]
    return [pid for parent in parents for pid in _children(parent)]


def _name(pid: int) -> str:
    """Other tests have processes as well: servers, with children of their own."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return found
