"""The backend of containers keeps the promises of the port, on a real engine; and what is its own."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.backends import engines
from tests.conformance.backends.bench import Bench, bare_environment
from tests.conformance.backends.suite import BackendConformance, failure_of
from tests.waiting import until

from foldline.domain.errors import FoldlineError
from foldline.runtime.jobs import Given, Job, Limits, Program
from foldline_executor.container import Containers, Terms

pytestmark = pytest.mark.usefixtures("only_our_kills")

OWNER = "executor-1"
ENVIRON = {"PATH": "/usr/bin"}

DIES = """
import asyncio, pickle, sys
from pathlib import Path
from foldline_executor.container import Containers
socket, terms, job = pickle.loads(bytes.fromhex(sys.argv[1]))

async def main():
    async with Containers(socket, terms, environ={"PATH": "/usr/bin"}) as backend:
        async def hear(lines):
            pass
        await backend.run(job, hear)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    with engines.engine() as socket:
        yield socket


def terms(**changes: Any) -> Terms:
    return Terms(**{"owner": OWNER, "image": engines.IMAGE, "network": "none", "pull": "never", **changes})


@pytest.fixture
async def bench(tmp_path: Path, socket: Path) -> AsyncIterator[Bench]:
    async with Containers(socket, terms(), environ=ENVIRON) as backend:
        yield Bench(tmp_path, backend, await bare_environment(tmp_path))
    assert containers(socket) == []


def containers(socket: Path, *options: str) -> list[str]:
    return engines.docker(socket, "ps", "-aq", *options).split()


def program(bench: Bench, line: str, *outputs: tuple[str, str], **fields: Any) -> Job:
    return dataclasses.replace(
        bench.job(""),
        program=Program(line=line, image=engines.IMAGE, **fields),
        outputs=outputs,
        inputs={},
    )


class TestContainers(BackendConformance):
    holds_memory = True
    sees_groups = False


class TestPrograms:
    """In images of their own: nothing of ours is inside."""

    async def test_inputs_and_outputs(self, bench: Bench) -> None:
        file = bench.root / "data.txt"
        file.write_text("from a file")
        line = 'echo "$INPUT_NAME"; cat "$INPUT_DATA" > "$OUTPUTS/copy"; echo 3 > "$OUTPUTS/count"'
        job = program(bench, line, ("copy", "file"), ("count", "int"))
        inputs = {
            "name": Given(value="Ada"),
            "data": Given(file=str(file), encoding="file", digest="sha256:1"),
        }

        outcome = await bench.run(dataclasses.replace(job, inputs=inputs))

        assert outcome.failure is None
        assert bench.said("stdout") == ["Ada"]
        assert outcome.outputs["count"].text == "3"
        copy = outcome.outputs["copy"].file
        assert copy is not None
        assert copy.read_text() == "from a file"
        assert outcome.reads == ("sha256:1",)

    async def test_metrics_are_told(self, bench: Bench) -> None:
        job = program(bench, "echo '{\"loss\": 0.5}' > m.json", metrics_file="m.json")

        outcome = await bench.run(job)

        assert outcome.failure is None
        assert [json.loads(text) for text in bench.said("note")] == [{"metric": "loss", "value": 0.5}]

    async def test_an_exit_code(self, bench: Bench) -> None:
        outcome = await bench.run(program(bench, "echo bad >&2; exit 7"))

        assert failure_of(outcome) == "STEP_EXITED"
        assert outcome.failure is not None
        assert outcome.failure.exit_code == 7
        assert outcome.failure.message == "the program exited with code 7"
        assert bench.said("stderr") == ["bad"]

    async def test_memory_beyond_the_limit(self, bench: Bench) -> None:
        job = program(bench, 'x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo done')

        outcome = await bench.run(dataclasses.replace(job, limits=Limits(memory_bytes=32 * 1024**2)))

        assert failure_of(outcome) == "MEMORY_EXCEEDED"

    @pytest.mark.parametrize("forced", [False, True])
    async def test_stopping(self, bench: Bench, forced: bool) -> None:
        job = program(bench, "trap '' TERM; touch begun; sleep 600 & wait; wait")
        task = asyncio.create_task(bench.run(job))
        await until((job.folder / "begun").exists, timeout=30)

        assert bench.backend.stop(job.key, 0.2, forced=forced)

        assert failure_of(await task) == "STEP_STOPPED"

    async def test_a_time_limit(self, bench: Bench) -> None:
        job = dataclasses.replace(program(bench, "sleep 600"), run_seconds=0.5)

        assert failure_of(await bench.run(job)) == "STEP_TIMED_OUT"

    async def test_silence(self, bench: Bench) -> None:
        job = dataclasses.replace(program(bench, "sleep 600"), silence_seconds=0.5)

        assert failure_of(await bench.run(job)) == "STEP_SILENT"

    async def test_a_million_lines(self, bench: Bench) -> None:
        outcome = await bench.run(program(bench, "seq 1000000"))

        assert outcome.failure is None
        assert bench.said("stdout") == [str(number) for number in range(1, 1_000_001)]

    async def test_a_link_out_of_the_folder_is_not_followed(self, bench: Bench) -> None:
        job = program(bench, 'ln -s /etc/shadow "$OUTPUTS/stolen"', ("stolen", "file"))

        assert failure_of(await bench.run(job)) == "OUTPUT_OUTSIDE"

    async def test_a_program_that_is_not_in_the_image(self, bench: Bench) -> None:
        job = program(bench, "")
        absent = Program(arguments=("absent",), image=engines.IMAGE)

        outcome = await bench.run(dataclasses.replace(job, program=absent))

        assert outcome.failure is not None
        assert "absent" in "".join([outcome.failure.message, *bench.said("stderr")])


async def test_a_step_has_no_rights_but_to_its_folder(bench: Bench) -> None:
    line = 'grep -E "CapEff|CapPrm|NoNewPrivs" /proc/self/status; ls -d /work /root/* || true'
    await bench.run(program(bench, f"{line}; touch '{bench.bundle}/x' || echo read-only"))

    found = "\n".join(bench.said("stdout"))
    assert found.split() == [
        *("CapPrm:", "0000000000000000", "CapEff:", "0000000000000000", "NoNewPrivs:", "1", "read-only")
    ]


async def test_an_image_that_is_not_there(tmp_path: Path, socket: Path) -> None:
    for pull, words in (("never", "which pulls none"), ("missing", "could not be pulled")):
        changed = terms(image="localhost:1/absent:1", pull=pull)
        async with Containers(socket, changed, environ=ENVIRON) as backend:
            (folder := tmp_path / pull).mkdir()
            bench = Bench(folder, backend, Path(sys.executable))
            outcome = await bench.run(bench.job("add", a=1, b=2))

        assert failure_of(outcome) == "IMAGE_MISSING"
        assert outcome.failure is not None
        assert words in outcome.failure.message


async def test_what_a_killed_owner_left_is_removed_and_nothing_else(socket: Path) -> None:
    for owner in (OWNER, "executor-2"):
        label = f"foldline.owner={owner}"
        engines.docker(socket, "run", "-d", "--network=none", "-l", label, engines.IMAGE, "sleep", "600")

    async with Containers(socket, terms(), environ=ENVIRON):
        left = containers(socket)

    others = containers(socket, "--filter", "label=foldline.owner=executor-2")
    assert left == others
    engines.docker(socket, "rm", "-f", *others)


async def test_an_attempt_ends_when_its_owner_is_killed(tmp_path: Path, socket: Path, bench: Bench) -> None:
    import pickle

    job = bench.job("wait", path="begun")
    order = pickle.dumps((socket, terms(owner="executor-3"), job)).hex()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, order)
    await until((job.folder / "begun").exists, timeout=60)

    process.send_signal(signal.SIGKILL)
    await process.wait()

    await until(lambda: containers(socket, "--filter", "status=running") == [], timeout=30)
    async with Containers(socket, terms(owner="executor-3"), environ=ENVIRON):
        assert containers(socket) == []


async def test_no_engine_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="no container engine answers at"):
        async with Containers(tmp_path / "none.sock", terms(), environ=ENVIRON):
            pass
