"""Programs as steps, and several processes for one attempt, by the launcher alone: real processes."""

from __future__ import annotations

import asyncio
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.backends import groups
from tests.integration.executor.pids import all_gone, is_alive, pids_in
from tests.waiting import until

from foldline.runtime.codecs import folders
from foldline.runtime.jobs import Given, Job, Line, Outcome, Program, StepFailure
from foldline.runtime.launcher import Launcher

pytestmark = pytest.mark.usefixtures("only_our_kills")

MEETING = """
    import os, socket, sys, time
    from pathlib import Path


    def _connected():
        address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        while True:
            try:
                return socket.create_connection(address)
            except ConnectionRefusedError:
                time.sleep(0.01)


    def meet(words):
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        print("I am", rank, "of", size)
        if rank:
            with _connected() as other:
                other.sendall(words[rank].encode())
            return None
        heard = [words[0]]
        with socket.create_server((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))) as server:
            for _ in range(size - 1):
                link, _ = server.accept()
                with link:
                    heard.append(link.makefile().read())
        return sorted(heard)


    open_links = []

    def one_fails(how, pids):
        rank = int(os.environ["RANK"])
        Path(pids, str(rank)).write_text(str(os.getpid()))
        while len(os.listdir(pids)) < int(os.environ["WORLD_SIZE"]):
            time.sleep(0.01)
        if rank == 0:
            with socket.create_server((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))) as server:
                link, _ = server.accept()
                if not link.recv(10):
                    raise ConnectionError("the other one is gone")
        if rank == 1:
            # Open until the process ends, so that the other one cannot hear of it before.
            open_links.append(_connected())
            if how == "raise":
                raise ValueError("bad batch")
            os._exit(9) if how == "exit" else os.kill(os.getpid(), 9)
        time.sleep(600)


    def environment():
        return dict(os.environ)


    def wait(pids):
        Path(pids, os.environ["RANK"]).write_text(str(os.getpid()))
        time.sleep(600)
"""


class Bench:
    """A launcher, a bundle, and jobs for both."""

    def __init__(self, root: Path, launcher: Launcher) -> None:
        self.root = root
        self.launcher = launcher
        self.lines: list[Line] = []
        self._number = 0

    def job(self, program: Program | None = None, **changes: Any) -> Job:
        self._number += 1
        given: dict[str, Any] = {"bundle": self.root, "grace_seconds": 0.1, **changes}
        return Job(
            key=str(self._number),
            python=Path(sys.executable),
            folder=self.root / f"job-{self._number}",
            program=program,
            **given,
        )

    async def run(self, program: Program | None = None, **changes: Any) -> Outcome:
        return await self.launcher.run(self.job(program, **changes), self.hear)

    async def succeed(self, program: Program | None = None, **changes: Any) -> Outcome:
        outcome = await self.run(program, **changes)
        assert outcome.failure is None, outcome.failure
        return outcome

    async def fail(self, program: Program | None = None, **changes: Any) -> StepFailure:
        outcome = await self.run(program, **changes)
        assert outcome.failure is not None
        assert not outcome.outputs
        return outcome.failure

    async def hear(self, lines: Sequence[Line]) -> None:
        self.lines += lines

    def text(self, rank: int = 0, stream: str = "stdout") -> list[str]:
        return [line.text for line in self.lines if line.rank == rank and line.stream == stream]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    async with Launcher(tmp_path / "launcher", environ=environ) as launcher:
        (tmp_path / "meeting.py").write_text(textwrap.dedent(MEETING))
        yield Bench(tmp_path, launcher)


async def test_a_line_reads_its_inputs_and_leaves_outputs_of_each_type(bench: Bench) -> None:
    line = """
        echo "$INPUT_GREETING to $INPUT_COUNT"
        echo "$INPUT_MANY" > "$OUTPUTS/whole.json"
        echo text > "$OUTPUTS/text"; echo 3 > "$OUTPUTS/number"; echo 0.5 > "$OUTPUTS/share"
        echo true > "$OUTPUTS/answer"; echo a,b > "$OUTPUTS/report.csv"
    """
    outputs = (
        *(("whole", "json"), ("text", "str"), ("number", "int")),
        *(("share", "float"), ("answer", "bool"), ("report", "file")),
    )
    inputs = {
        "greeting": Given(value="hello"),
        "count": Given(value=3),
        "many": Given(value=[1, {"a": None}]),
    }

    found = (await bench.succeed(Program(line=line), inputs=inputs, outputs=outputs)).outputs

    assert bench.text() == ["hello to 3"]
    texts = {name: one.text for name, one in found.items()}
    assert texts.pop("report") is None
    assert texts == {
        "whole": '[1,{"a":null}]',
        "text": '"text"',
        "number": "3",
        "share": "0.5",
        "answer": "true",
    }
    report = found["report"]
    assert (report.type, report.encoding, report.filename) == ("file", "file", "report.csv")
    assert report.file is not None
    assert report.file.read_text() == "a,b\n"


async def test_a_folder_goes_in_and_out(bench: Bench) -> None:
    (bench.root / "data").mkdir()
    (bench.root / "data" / "one.txt").write_text("1")
    folders.pack(bench.root / "data", bench.root / "packed")
    given = Given(file=str(bench.root / "packed"), encoding="folder", filename="data.tar", digest="sha256:1")

    outcome = await bench.succeed(
        Program(line='cp -r "$INPUT_THE_DATA" "$OUTPUTS/model"; echo 2 > "$OUTPUTS/model/two.txt"'),
        inputs={"the-data": given},
        outputs=(("model", "model"),),
    )

    model = outcome.outputs["model"]
    assert outcome.reads == ("sha256:1",)
    assert (model.type, model.encoding) == ("model", "folder")
    assert model.file is not None
    folders.unpack(model.file, bench.root / "unpacked")
    assert sorted(path.name for path in (bench.root / "unpacked").iterdir()) == ["one.txt", "two.txt"]


async def test_a_program_changes_a_copy_of_its_input(bench: Bench) -> None:
    (bench.root / "kept").write_text("as it was")
    given = Given(file=str(bench.root / "kept"), encoding="file", filename="notes.txt", digest="sha256:1")

    await bench.succeed(
        Program(line='basename "$INPUT_NOTES"; echo changed > "$INPUT_NOTES"'), inputs={"notes": given}
    )

    assert bench.text() == ["notes.txt"]
    assert (bench.root / "kept").read_text() == "as it was"


async def test_a_script_runs_by_its_first_line_with_the_environment_first_on_path(bench: Bench) -> None:
    script = "#!/usr/bin/env python\nimport os, sys\nprint(sys.executable)\nprint(os.environ['MODE'])\n"
    (bench.root / "train.py").write_text(script)

    await bench.succeed(Program(script="train.py", variables={"MODE": "fast"}))

    assert bench.text() == [sys.executable, "fast"]


async def test_a_script_without_a_first_line_is_one_of_the_shell(bench: Bench) -> None:
    (bench.root / "go.sh").write_text('echo "$0 in $PWD" | tail -c 12\n')

    await bench.succeed(Program(script="go.sh"))

    assert bench.text()[0].endswith("job-1")


async def test_a_script_outside_of_the_bundle_is_refused(bench: Bench) -> None:
    failure = await bench.fail(Program(script="../outside.sh"))

    assert (failure.reason, failure.kind) == ("SCRIPT_MISSING", "invalid")


async def test_arguments_are_filled_and_not_read_by_a_shell(bench: Bench) -> None:
    program = Program(arguments=("echo", "$(INPUT_NAME)", "$HOME", "$(NOBODY)"))

    await bench.succeed(program, inputs={"name": Given(value="$(OUTPUTS); rm")})

    assert bench.text() == ["$(OUTPUTS); rm $HOME $(NOBODY)"]


async def test_an_exit_code_and_a_signal_are_in_the_failure(bench: Bench) -> None:
    exited = await bench.fail(Program(line="echo last words >&2; exit 3"))
    killed = await bench.fail(Program(line="kill -9 $$"))
    unknown = await bench.fail(Program(arguments=("no-such-program",)))

    assert (exited.kind, exited.reason, exited.exit_code) == ("user", "STEP_EXITED", 3)
    assert exited.message == "the program exited with code 3"
    assert "last words" in bench.text(stream="stderr")
    assert (killed.reason, killed.signal) == ("STEP_KILLED", signal.SIGKILL)
    assert unknown.reason == "PROGRAM_NOT_STARTED"
    assert "no-such-program" in unknown.message


@pytest.mark.parametrize(
    ("line", "kind", "reason", "words"),
    [
        ('echo 1 > "$OUTPUTS/other"', "int", "OUTPUT_MISSING", "outputs/result.*"),
        ('echo one > "$OUTPUTS/result"', "int", "OUTPUT_TYPE_WRONG", "'one'"),
        ('echo nan > "$OUTPUTS/result"', "float", "OUTPUT_TYPE_WRONG", "'nan'"),
        ('printf "\\377" > "$OUTPUTS/result"', "str", "OUTPUT_TYPE_WRONG", "UTF-8"),
        ('echo a,b > "$OUTPUTS/result.csv"', "table", "OUTPUT_TYPE_WRONG", "Parquet"),
        ('mkdir "$OUTPUTS/result"', "array", "OUTPUT_TYPE_WRONG", "folder"),
        ('touch "$OUTPUTS/result.a" "$OUTPUTS/result.b"', "file", "OUTPUT_AMBIGUOUS", "result.a, result.b"),
        ('rm -r "$OUTPUTS"', "file", "OUTPUT_MISSING", "removed"),
    ],
)
async def test_a_wrong_output_is_named(bench: Bench, line: str, kind: str, reason: str, words: str) -> None:
    failure = await bench.fail(Program(line=line), outputs=(("result", kind),))

    assert failure.reason == reason
    assert "result" in failure.message
    assert words in failure.message


async def test_metrics_are_read_from_their_file(bench: Bench) -> None:
    await bench.succeed(Program(line="echo '{\"loss\": 0.5}' > m.json", metrics_file="m.json"))

    assert bench.text(stream="note") == ['{"metric": "loss", "value": 0.5}']


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("true", "METRICS_MISSING"),
        ("echo '[1]' > m.json", "METRICS_WRONG"),
        ('echo \'{"a": "1"}\' > m.json', "METRICS_WRONG"),
        ("echo '{\"a\": NaN}' > m.json", "METRICS_WRONG"),
        ("echo '{\"a\": true}' > m.json", "METRICS_WRONG"),
        ("head -c 300000 /dev/zero > m.json", "METRICS_WRONG"),
        ("ln -s /etc/hostname m.json", "METRICS_MISSING"),
    ],
)
async def test_wrong_metrics_are_an_error(bench: Bench, line: str, reason: str) -> None:
    assert (await bench.fail(Program(line=line, metrics_file="m.json"))).reason == reason


async def test_a_program_is_stopped_with_all_that_it_started(bench: Bench) -> None:
    pids = bench.root / "pids"
    line = f"sleep 600 & setsid sleep 600 & echo $$ $! > {pids}; trap '' TERM; wait; wait"
    job = bench.job(Program(line=line))
    running = asyncio.create_task(bench.launcher.run(job, bench.hear))
    await until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    found = await pids_in(pids)

    assert bench.launcher.stop(job.key)

    outcome = await running
    assert outcome.failure is not None
    assert outcome.failure.kind == "stopped"
    await until(lambda: all_gone(found))


async def test_a_program_may_clean_up_when_it_is_told_to_stop(bench: Bench) -> None:
    mark = bench.root / "begun"
    job = bench.job(Program(line=f"trap 'echo bye; exit 0' TERM; touch {mark}; while :; do sleep 0.05; done"))
    running = asyncio.create_task(bench.launcher.run(job, bench.hear))
    await until(mark.exists)

    bench.launcher.stop(job.key, 30.0)

    outcome = await running
    assert outcome.failure is not None
    assert outcome.failure.kind == "stopped"
    assert "bye" in bench.text()


async def test_a_program_that_takes_too_long_is_ended(bench: Bench) -> None:
    failure = await bench.fail(Program(line="exec sleep 600"), run_seconds=0.3)

    assert (failure.kind, failure.reason) == ("timeout", "STEP_TIMED_OUT")


async def test_two_ranks_meet_and_rank_0_gives_the_output(bench: Bench) -> None:
    outcome = await bench.succeed(
        module="meeting",
        function="meet",
        ranks=2,
        inputs={"words": Given(value=["zero", "one"])},
        outputs=(("output", "json"),),
    )

    assert outcome.outputs["output"].text == '["one","zero"]'
    assert bench.text(0) == ["I am 0 of 2"]
    assert bench.text(1) == ["I am 1 of 2"]


@pytest.mark.parametrize(
    ("how", "reason", "words"),
    [("raise", "STEP_RAISED", "bad batch"), ("exit", "STEP_EXITED", "code 9"), ("kill", "STEP_KILLED", "9")],
)
async def test_one_rank_that_fails_stops_the_others_and_is_named(
    bench: Bench, how: str, reason: str, words: str
) -> None:
    pids = bench.root / "pids"
    pids.mkdir()

    failure = await bench.fail(
        module="meeting",
        function="one_fails",
        ranks=3,
        inputs={"how": Given(value=how), "pids": Given(value=str(pids))},
    )

    assert failure.reason == reason
    assert failure.message.startswith("rank 1 of 3: ")
    assert words in failure.message
    await until(lambda: all_gone([int(file.read_text()) for file in pids.iterdir()]))


async def test_a_rank_is_not_silent_while_another_one_speaks(bench: Bench) -> None:
    line = '[ "$RANK" = 0 ] || exec sleep 600; for i in 1 2 3 4 5 6; do sleep 0.5; echo "$i"; done; exit 3'

    failure = await bench.fail(Program(line=line), ranks=2, silence_seconds=1.5)

    assert failure.message == "rank 0 of 2: the program exited with code 3"


@pytest.mark.parametrize("how", ["exec sh -c", "sh -c"])
async def test_a_program_that_the_kernel_kills_for_its_memory_says_so(bench: Bench, how: str) -> None:
    """By itself, or as what a shell has started, which then ends with 137."""
    gorge = 'x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo done'
    with groups.bounded(32 * 1024**2) as group:
        failure = await bench.fail(Program(line=f"echo $$ > {group}/cgroup.procs; {how} '{gorge}'; exit $?"))

    assert failure.reason == "MEMORY_EXCEEDED", failure


async def test_ranks_are_stopped_and_killed_together(bench: Bench) -> None:
    pids = bench.root / "pids"
    pids.mkdir()
    job = bench.job(module="meeting", function="wait", ranks=2, inputs={"pids": Given(value=str(pids))})
    running = asyncio.create_task(bench.launcher.run(job, bench.hear))
    await until(lambda: len([file for file in pids.iterdir() if file.read_text()]) == 2)
    found = [int(file.read_text()) for file in pids.iterdir()]
    assert all(is_alive(pid) for pid in found)

    assert bench.launcher.stop(job.key)

    outcome = await running
    assert outcome.failure == StepFailure(
        kind="stopped", reason="STEP_STOPPED", message="the step was stopped"
    )
    await until(lambda: all_gone(found))


async def test_ranks_of_a_program_have_the_usual_variables(bench: Bench) -> None:
    line = (
        'echo "$RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $MASTER_ADDR"; echo "$RANK" > "$OUTPUTS/rank"'
    )

    outcome = await bench.succeed(Program(line=line), ranks=2, outputs=(("rank", "int"),))

    assert bench.text(0) == ["0 2 0 2 127.0.0.1"]
    assert bench.text(1) == ["1 2 1 2 127.0.0.1"]
    assert outcome.outputs["rank"].text == "0"


async def test_a_step_after_ranks_knows_nothing_of_them(bench: Bench) -> None:
    await bench.succeed(module="meeting", function="environment", ranks=2)
    outcome = await bench.succeed(module="meeting", function="environment", outputs=(("output", "json"),))

    assert "WORLD_SIZE" not in (outcome.outputs["output"].text or "")


async def test_a_program_sees_what_it_is_given_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLDLINE_TOKEN", "secret")

    await bench.succeed(
        Program(arguments=("env",), variables={"MODE": "fast"}), inputs={"a": Given(value="1")}
    )

    names = {line.partition("=")[0] for line in bench.text()}
    assert names == {"PATH", "HOME", "TMPDIR", "OUTPUTS", "MODE", "INPUT_A"} | (names & {"LC_CTYPE"})


async def test_a_program_with_an_image_needs_another_backend(bench: Bench) -> None:
    failure = await bench.fail(Program(line="true", image="alpine:3"))

    assert failure.reason == "IMAGE_NOT_SUPPORTED"
    assert "alpine:3" in failure.message


async def test_a_list_that_a_map_gave_is_one_variable_of_values_and_paths(bench: Bench) -> None:
    (bench.root / "two").write_text("2")
    entries = [
        {"digest": "sha256:1", "type": "int", "encoding": "json", "size_bytes": 1, "value": 1},
        {"digest": "sha256:2", "type": "file", "encoding": "file", "size_bytes": 1, "filename": "b.txt"},
        None,
    ]
    file = Given(file=str(bench.root / "two"), encoding="file", filename="b.txt", digest="sha256:2")
    given = Given(value=entries, encoding="list", digest="sha256:0", items={"sha256:2": file})

    outcome = await bench.succeed(
        Program(line='echo "$INPUT_ALL" > "$OUTPUTS/all.json"'),
        inputs={"all": given},
        outputs=(("all", "json"),),
    )

    path = bench.root / "job-1" / "inputs" / "all" / "0" / "b.txt"
    assert outcome.outputs["all"].text == f'[1,"{path}",null]'


async def test_an_input_that_is_too_large_for_a_variable_is_refused(bench: Bench) -> None:
    failure = await bench.fail(Program(line="true"), inputs={"text": Given(value="x" * 200_000)})

    assert failure.reason == "INPUT_TOO_LARGE"
