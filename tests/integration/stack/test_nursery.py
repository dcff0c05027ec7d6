"""Programs that begin as forks of the nursery: the supervisor's own children, like those that it executes."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.stack.programs import ignore, is_alive
from tests.waiting import until, until_sync

from foldline.cli.stack import births, nursery, programs
from foldline.cli.stack.home import Home
from foldline.cli.stack.keeper import Program
from foldline.cli.stack.supervisor import Supervisor, supervise

ROOT = Path(__file__).parents[3]
MODULE = "tests.integration.stack.patient"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def patient(**env: str) -> Program:
    return Program(
        name="patient",
        argv=(sys.executable, "-P", "-m", MODULE),
        module=MODULE,
        env={"PYTHONPATH": str(ROOT), **env},
    )


async def said(home: Home, *, times: int = 1) -> list[dict[str, Any]]:
    def lines() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in home.log("patient").read_text().splitlines()]
        assert len(found) >= times
        return found

    return await until(lines)


def pid(supervisor: Supervisor) -> int:
    return supervisor.condition("patient").pid or 0


async def test_a_program_begins_as_if_it_had_been_executed(home: Home) -> None:
    async with supervise(home, ignore) as supervisor:
        async with births.nursery(ENVIRONMENT) as begin:
            supervisor.start([patient(OWN="yes")], begin)
            (first,) = await said(home)
        *shown, module = filter(None, psutil.Process(pid(supervisor)).cmdline())

        assert first["parent"] == os.getpid()
        assert first["leads"]
        assert {key: first["environment"].get(key) for key in ("OWN", "PATH")} == {"OWN": "yes", "PATH": None}
        assert first["descriptors"] == [0, 1, 2]
        assert first["loaded"]
        assert shown == [sys.executable, "-P", "-m"]
        assert MODULE.startswith(module)  # there is as much room as for the nursery's own name
        assert not first["arguments"][1:]


async def test_it_outlives_the_nursery_and_is_executed_when_it_starts_again(home: Home) -> None:
    async with supervise(home, ignore) as supervisor:
        async with births.nursery(ENVIRONMENT) as begin:
            supervisor.start([patient()], begin)
            await said(home)
        born = pid(supervisor)
        assert is_alive(born)

        os.kill(born, signal.SIGKILL)

        _, second = await said(home, times=2)
        assert supervisor.condition("patient").last_exit == "killed by SIGKILL"
        assert not second["loaded"]
        assert not is_alive(born)


async def test_its_exit_code_is_told(home: Home) -> None:
    async with supervise(home, ignore) as supervisor, births.nursery(ENVIRONMENT) as begin:
        supervisor.start([patient(ENDS="1")], begin)
        await said(home)

        await until(lambda: supervisor.condition("patient").last_exit == "exit code 3")


async def test_it_is_executed_where_the_nursery_does_not_come_up(home: Home) -> None:
    broken = {**ENVIRONMENT, "PYTHONHOME": "/nowhere"}
    async with supervise(home, ignore) as supervisor, births.nursery(broken) as begin:
        supervisor.start([patient()], begin)
        (first,) = await said(home)

    assert not first["loaded"]


async def test_it_is_executed_where_python_knows_no_descriptors_of_processes(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    async with supervise(home, ignore) as supervisor, births.nursery(ENVIRONMENT) as begin:
        supervisor.start([patient()], begin)
        (first,) = await said(home)

    assert not first["loaded"]


async def test_a_fork_whose_supervisor_is_another_one_by_now_ends(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.log("patient").open("wb") as output:
        async with births.nursery(ENVIRONMENT) as begin:
            assert begin is not None
            with monkeypatch.context() as elsewhere:
                elsewhere.setattr(os, "getpid", lambda: 1)
                born = await asyncio.wait_for(begin(patient(), output.fileno()), 10)

    assert born is None
    assert home.log("patient").read_bytes() == b""


def test_it_dies_with_a_killed_supervisor(home: Home) -> None:
    code = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from foldline.cli.stack import births
        from foldline.cli.stack.home import Home
        from foldline.cli.stack.supervisor import supervise
        from tests.integration.stack.test_nursery import ENVIRONMENT, patient, said

        async def main():
            home = Home(Path({str(home.folder)!r}))
            async with supervise(home, lambda all, one: None) as supervisor:
                async with births.nursery(ENVIRONMENT) as begin:
                    supervisor.start([patient()], begin)
                    await said(home)
                print(supervisor.condition("patient").pid, flush=True)
                await asyncio.Event().wait()

        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert is_alive(child)

        process.kill()

        until_sync(lambda: not is_alive(child))


def test_the_nursery_loads_what_several_services_load() -> None:
    ours = _loaded(*nursery.SHARED)
    counted = collections.Counter(
        name for package in programs.services().values() for name in _loaded(f"{package}.__main__")
    )
    shared = {name for name, times in counted.items() if times > 1}

    assert shared - ours == set()


def _loaded(*modules: str) -> set[str]:
    """What of the libraries is loaded after these; the messages of protobuf come with their users."""
    code = f"import {', '.join(modules)}, sys; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return {
        one for one in names.split() if one.startswith("foldline.") and not one.startswith("foldline.api")
    }
