"""What steps may do, and what becomes of it: real processes, a real store, every end reported once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from msgspec import UNSET
from tests.integration.executor.conftest import STEPS
from tests.integration.executor.installation import Site, executor, inputs, limits
from tests.integration.executor.pids import all_gone, is_alive, pids_in
from tests.waiting import until

from foldline.domain.artifacts import content_of
from foldline.domain.spec import Output
from foldline.domain.work import Input

pytestmark = pytest.mark.usefixtures("only_our_kills")

MEGABYTE = 1024 * 1024


async def test_a_step_gets_its_inputs_and_its_small_output_is_in_the_report_alone(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("add", inputs=inputs(a=1, b=2))
        await scheduler.order(work)
        report = await scheduler.ended(work)

    assert scheduler.kinds(work)[-1] == "succeeded"
    artifact = report.outputs["output"]
    assert (artifact.type, artifact.encoding, artifact.value, artifact.size_bytes) == ("int", "json", 3, 1)
    assert content_of(artifact) == b"3"
    assert not await here.store.exists(artifact.digest)
    assert report.max_rss_bytes > MEGABYTE
    assert report.seconds > 0


async def test_several_outputs_go_by_their_names(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("two", "first", "second")
        await scheduler.order(work)
        report = await scheduler.ended(work)

    assert {name: one.value for name, one in report.outputs.items()} == {"first": 1, "second": "b"}


async def test_an_exception_is_recorded_with_the_authors_frames_alone(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("broken")
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("user", "STEP_RAISED")
    assert failure.error_class == "ValueError"
    assert failure.message == "ValueError: no such column"
    assert "flow.py" in failure.traceback
    assert "foldline/runtime" not in failure.traceback
    assert [line.text for line in await here.log(work)] == failure.traceback.splitlines()


@pytest.mark.parametrize("function", ["leave", "leave_politely"])
@pytest.mark.parametrize("code", [137, 3, 0])
async def test_an_exit_code_is_recorded(here: Site, function: str, code: int) -> None:
    async with executor(here) as scheduler:
        work = here.work(function, inputs=inputs(code=code))
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason, failure.exit_code) == ("user", "STEP_EXITED", code)
    assert f"exited with code {code} before its function returned" in failure.message


async def test_a_deadly_signal_is_recorded(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("kill", inputs=inputs(number=int(signal.SIGKILL)))
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason, failure.signal) == ("user", "STEP_KILLED", 9)
    assert "memory runs out" in failure.message
    assert [line.stream for line in await here.log(work)] == ["system"]


async def test_a_hundred_thousand_lines_are_all_kept_in_order(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("loud", inputs=inputs(lines=100_000))
        await scheduler.order(work)
        report = await scheduler.ended(work)

    assert report.kind == "succeeded"
    assert report.log_lines == 100_000
    lines = await here.log(work)
    assert [line.text for line in lines] == [f"line {number}" for number in range(100_000)]
    live = [entry.number for chunk in scheduler.live for entry in chunk.lines]
    assert live == list(range(1, 100_001))
    assert [chunk.end for chunk in scheduler.live][-1]


async def test_a_log_takes_any_bytes(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("both")
        await scheduler.order(work)
        await scheduler.ended(work)

    lines = await here.log(work)
    out = [line.text for line in lines if line.stream == "stdout"]
    assert [out[0], out[1], out[3]] == ["out", "\\xff raw", "no newline"]
    assert out[2].endswith("more bytes cut]")
    assert [line.text for line in lines if line.stream == "stderr"] == ["err"]


async def test_progress_and_metrics_are_in_the_log(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("telling")
        await scheduler.order(work)
        report = await scheduler.ended(work)

    assert report.outputs["output"].value == work.key.run_id
    notes = [line.text for line in await here.log(work) if line.stream == "system"]
    assert notes == ["progress 50% half way", "metric loss = 0.25 (step 3)"]


async def test_a_large_array_travels_by_digest_to_the_next_step(here: Site) -> None:
    async with executor(here) as scheduler:
        first = here.work("array", inputs=inputs(megabytes=200))
        await scheduler.order(first)
        artifact = (await scheduler.ended(first)).outputs["output"]
        second = here.work("total", inputs={"data": Input(artifact=artifact)})
        await scheduler.order(second)
        report = await scheduler.ended(second)

    assert artifact.value is UNSET
    assert artifact.size_bytes == 200 * MEGABYTE + 128
    assert artifact.summary["shape"] == [200 * MEGABYTE // 8]
    assert report.outputs["output"].value == 200 * MEGABYTE / 8
    assert report.reads == (artifact.digest,)


async def test_values_that_are_too_much_for_one_report_go_by_digest(here: Site) -> None:
    names = [f"part{number}" for number in range(12)]
    async with executor(here) as scheduler:
        work = here.work("many", *names, inputs=inputs(count=12, size=60_000))
        await scheduler.order(work)
        outputs = (await scheduler.ended(work)).outputs

    inlined = [name for name in names if outputs[name].value is not UNSET]
    assert inlined == names[:8]
    assert await here.store.read(outputs["part11"].digest) == b'"' + b"x" * 60_000 + b'"'


async def test_inputs_are_fetched_from_a_remote_store(tmp_path: Path) -> None:
    here = Site(tmp_path, "memory:///")
    await here.release(STEPS)
    async with executor(here) as scheduler:
        first = here.work("array", inputs=inputs(megabytes=1))
        await scheduler.order(first)
        artifact = (await scheduler.ended(first)).outputs["output"]
        for _ in range(2):
            work = here.work("total", inputs={"data": Input(artifact=artifact)})
            await scheduler.order(work)
            assert await scheduler.value(work) == MEGABYTE / 8


async def test_an_output_that_cannot_be_stored_is_named_with_its_type(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("unstorable")
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("invalid", "OUTPUT_NOT_STORABLE")
    assert "output output is a _io.TextIOWrapper" in failure.message


async def test_an_output_of_another_type_than_declared_is_refused(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("nothing", outputs=(Output(name="output", type="float"),))
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("invalid", "OUTPUT_TYPE_WRONG")


async def test_a_file_keeps_its_name_on_its_way(here: Site) -> None:
    async with executor(here) as scheduler:
        first = here.work("write_file")
        await scheduler.order(first)
        artifact = (await scheduler.ended(first)).outputs["output"]
        second = here.work("read_file", inputs={"data": Input(artifact=artifact)})
        await scheduler.order(second)
        report = await scheduler.ended(second)

    assert (artifact.type, artifact.filename) == ("file", "report.csv")
    assert report.outputs["output"].value == ["report.csv", "a,b"]


async def test_nothing_leaks_from_one_attempt_into_the_next(here: Site) -> None:
    found = []
    async with executor(here) as scheduler:
        for _ in range(3):
            work = here.work("count")
            await scheduler.order(work)
            found.append(await scheduler.value(work))
        work = here.work("environment")
        await scheduler.order(work)
        environment = await scheduler.value(work)

    assert [(one["count"], one["seen"], one["files"]) for one in found] == [(1, 1, ["left-behind"])] * 3
    assert len({one["cwd"] for one in found}) == 3
    assert not any(map(os.path.exists, (one["cwd"] for one in found)))
    assert "LEAK" not in environment


async def test_what_a_shared_step_leaves_ends_with_its_process(here: Site) -> None:
    async with executor(here) as scheduler:
        values = []
        for _ in range(2):
            work = here.work("count", isolation="shared")
            await scheduler.order(work)
            values.append(await scheduler.value(work))
        last = (await here.log(work))[-1]

    assert [(value["count"], value["seen"], value["files"]) for value in values] == [
        (1, 1, ["left-behind"])
    ] * 2
    assert last.stream == "system"
    assert "changed globals of module flow: COUNT, SEEN" in last.text


async def test_a_steps_environment_holds_no_secret(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDLINE_TOKEN_KEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with executor(here) as scheduler:
        work = here.work("environment")
        await scheduler.order(work)
        environment = await scheduler.value(work)

    known = {
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "LD_LIBRARY_PATH",
        "TZ",
        "LC_CTYPE",
    }
    assert set(environment) <= known
    assert str(here.home) in environment["TMPDIR"]


async def test_work_that_comes_twice_is_started_once(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("nothing")
        for _ in range(3):
            await scheduler.order(work)
        await scheduler.ended(work)
        await scheduler.order(work)
        other = here.work("nothing")
        await scheduler.order(other)
        await scheduler.ended(other)

    # The end of so short an attempt tells of its start, too.
    assert scheduler.kinds(work) in (["succeeded"], ["started", "succeeded"])


async def test_an_attempt_that_the_ledger_has_forgotten_is_not_carried_out_again(here: Site) -> None:
    """The ledger was restored to a time before its end, and the same attempt is given out anew."""
    async with executor(here) as scheduler:
        work = here.work("nothing")
        await scheduler.order(work)
        await scheduler.ended(work)
        await until(lambda: work.key not in scheduler.beats[-1].held)

        for _ in range(3):
            await scheduler.order(work)
        await until(lambda: scheduler.kinds(work)[-1] == "failed")

    failure = scheduler.reports[-1].failure
    assert failure is not UNSET
    assert (failure.kind, failure.reason) == ("lost", "ATTEMPT_FORGOTTEN")
    assert scheduler.kinds(work).count("succeeded") == 1


async def test_an_unsafe_attempt_of_which_there_is_a_trace_is_not_carried_out_again(here: Site) -> None:
    """The executor that did it is gone, and so is the ledger's memory of it."""
    work = here.work("nothing", effects="unsafe")
    async with executor(here) as scheduler:
        await scheduler.order(work)
        assert (await scheduler.ended(work)).kind == "succeeded"

    async with executor(here) as scheduler:
        await scheduler.order(work)
        failure = await scheduler.failure(work)
        again = here.work("nothing", effects="unsafe")
        await scheduler.order(again)
        assert (await scheduler.ended(again)).kind == "succeeded"

    assert (failure.kind, failure.reason) == ("lost", "ATTEMPT_FORGOTTEN")


async def test_no_more_attempts_run_than_there_are_slots(here: Site, tmp_path: Path) -> None:
    async with executor(here, slots=1) as scheduler:
        first = here.work("wait", inputs=inputs(path=str(tmp_path / "running")), timeouts=limits(grace=0.1))
        second = here.work("nothing")
        await scheduler.order(first)
        await until((tmp_path / "running").exists)
        await scheduler.order(second)
        await until(lambda: second.key in scheduler.beats[-1].held)

        assert scheduler.kinds(second) == []
        await scheduler.stop(first)
        assert (await scheduler.ended(second)).kind == "succeeded"


async def test_a_stop_is_asked_first_and_insisted_on_after_the_grace(here: Site, tmp_path: Path) -> None:
    async with executor(here) as scheduler:
        work = here.work("stubborn", inputs=inputs(path=str(tmp_path / "pids")))
        await scheduler.order(work)
        step, child, runaway, parent = await pids_in(tmp_path / "pids")
        asked = time.monotonic()
        await scheduler.stop(work, grace_seconds=0.5)
        failure = await scheduler.failure(work)

        assert time.monotonic() - asked >= 0.5
        assert (failure.kind, failure.reason) == ("stopped", "STEP_STOPPED")
        await until(lambda: all_gone([step, child, runaway]))
        assert is_alive(parent)


async def test_a_step_that_dies_of_the_first_signal_ends_at_once(here: Site, tmp_path: Path) -> None:
    async with executor(here) as scheduler:
        work = here.work("wait", inputs=inputs(path=str(tmp_path / "running")))
        await scheduler.order(work)
        await until((tmp_path / "running").exists)
        asked = time.monotonic()
        await scheduler.stop(work, grace_seconds=60)
        await scheduler.stop(work, grace_seconds=60)
        failure = await scheduler.failure(work)

    assert failure.kind == "stopped"
    assert time.monotonic() - asked < 10


async def test_an_attempt_that_waits_for_a_slot_can_be_stopped(here: Site, tmp_path: Path) -> None:
    async with executor(here, slots=1) as scheduler:
        first = here.work("wait", inputs=inputs(path=str(tmp_path / "running")), timeouts=limits(grace=0.1))
        second = here.work("nothing")
        await scheduler.order(first)
        await until((tmp_path / "running").exists)
        await scheduler.order(second)
        await scheduler.stop(second)
        failure = await scheduler.failure(second)

        assert (failure.kind, failure.reason) == ("stopped", "STEP_STOPPED")
        await until(lambda: scheduler.kinds(first) == ["started"])


async def test_the_time_limit_of_a_step_ends_it(here: Site, tmp_path: Path) -> None:
    async with executor(here) as scheduler:
        work = here.work(
            "stubborn", inputs=inputs(path=str(tmp_path / "pids")), timeouts=limits(run=0.5, grace=0.2)
        )
        await scheduler.order(work)
        failure = await scheduler.failure(work)
        step, child, runaway, _ = await pids_in(tmp_path / "pids")

        assert (failure.kind, failure.reason) == ("timeout", "STEP_TIMED_OUT")
        assert "after 0.5 s" in failure.message
        await until(lambda: all_gone([step, child, runaway]))


async def test_a_forced_stop_ends_everything_at_once(here: Site, tmp_path: Path) -> None:
    async with executor(here) as scheduler:
        work = here.work("stubborn", inputs=inputs(path=str(tmp_path / "pids")))
        await scheduler.order(work)
        step, child, runaway, _ = await pids_in(tmp_path / "pids")
        await scheduler.stop(work, grace_seconds=600)
        await scheduler.stop(work, forced=True)
        failure = await scheduler.failure(work)

        assert (failure.kind, failure.reason) == ("stopped", "STEP_STOPPED")
        await until(lambda: all_gone([step, child, runaway]))


async def test_a_silent_step_is_stopped(here: Site, tmp_path: Path) -> None:
    async with executor(here) as scheduler:
        work = here.work(
            "stubborn", inputs=inputs(path=str(tmp_path / "pids")), timeouts=limits(silence=0.5, grace=0.2)
        )
        await scheduler.order(work)
        failure = await scheduler.failure(work)
        step, child, runaway, _ = await pids_in(tmp_path / "pids")

        assert (failure.kind, failure.reason) == ("timeout", "STEP_SILENT")
        assert "silent for 0.5 s" in failure.message
        await until(lambda: all_gone([step, child, runaway]))


@pytest.mark.parametrize("sign", ["line", "dot", "progress", "metric"])
async def test_any_sign_of_life_ends_the_silence(here: Site, sign: str) -> None:
    async with executor(here) as scheduler:
        work = here.work("lively", inputs=inputs(sign=sign), timeouts=limits(silence=2))
        await scheduler.order(work)

        assert await scheduler.value(work) == "alive"


async def test_what_a_finished_step_left_running_is_ended(here: Site, tmp_path: Path) -> None:
    async with executor(here) as scheduler:
        work = here.work("leaves_a_daemon", inputs=inputs(path=str(tmp_path / "pid")))
        await scheduler.order(work)

        assert (await scheduler.ended(work)).kind == "succeeded"
        (daemon,) = await pids_in(tmp_path / "pid")
        await until(lambda: not is_alive(daemon))


async def test_a_module_that_cannot_be_imported_is_the_authors_failure(here: Site) -> None:
    await here.release("print('so far')\nimport no_such_package\n")
    async with executor(here) as scheduler:
        work = here.work("nothing")
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("user", "STEP_IMPORT_FAILED")
    assert failure.error_class == "ModuleNotFoundError"
    assert "no_such_package" in failure.message
    assert "flow.py" in failure.traceback
    assert "importlib" not in failure.traceback
    assert (await here.log(work))[0].text == "so far"


async def test_a_module_that_ends_its_process_is_the_authors_failure(here: Site) -> None:
    await here.release("import os\nprint('bye', flush=True)\nos._exit(5)\n")
    async with executor(here) as scheduler:
        work = here.work("nothing")
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("user", "STEP_IMPORT_FAILED")
    assert "exit code 5" in failure.message


async def test_an_import_that_never_ends_can_be_stopped(here: Site) -> None:
    await here.release("import time\ntime.sleep(600)\n")
    async with executor(here) as scheduler:
        work = here.work("nothing")
        await scheduler.order(work)
        await until(lambda: work.key in scheduler.beats[-1].held)
        await scheduler.stop(work)

        assert (await scheduler.failure(work)).kind == "stopped"


async def test_a_bundle_that_is_not_in_the_store_is_no_fault_of_the_step(here: Site) -> None:
    async with executor(here) as scheduler:
        work = here.work("nothing", bundle="sha256:" + "0" * 64)
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("infrastructure", "STORE_FAILED")


async def test_a_store_that_fails_while_logs_are_kept_is_no_fault_of_the_step(here: Site) -> None:
    async with executor(here, store_patience_seconds=0.3) as scheduler:
        first = here.work("nothing")
        await scheduler.order(first)
        await scheduler.ended(first)
        work = here.work("loud", inputs=inputs(lines=5000))
        (here.artifacts / "logs").mkdir(exist_ok=True)
        (here.artifacts / "logs" / work.key.run_id).write_text("a file where a folder must be")
        await scheduler.order(work)
        failure = await scheduler.failure(work)

    assert (failure.kind, failure.reason) == ("infrastructure", "STORE_FAILED")


async def test_the_death_of_the_warm_parent_is_no_fault_of_the_step(here: Site, tmp_path: Path) -> None:
    async with executor(here) as scheduler:
        work = here.work("stubborn", inputs=inputs(path=str(tmp_path / "pids")))
        await scheduler.order(work)
        step, child, runaway, parent = await pids_in(tmp_path / "pids")
        os.kill(parent, signal.SIGTERM)
        failure = await scheduler.failure(work)
        await until(lambda: all_gone([step, child, runaway, parent]))
        again = here.work("nothing")
        await scheduler.order(again)

        assert (failure.kind, failure.reason) == ("infrastructure", "STEP_PROCESS_LOST")
        assert (await scheduler.ended(again)).kind == "succeeded"


async def test_a_warm_step_takes_milliseconds(here: Site) -> None:
    async with executor(here) as scheduler:
        seconds = []
        for _ in range(20):
            work = here.work("nothing")
            begun = time.perf_counter()
            await scheduler.order(work)
            await scheduler.ended(work)
            seconds.append(time.perf_counter() - begun)

    assert sorted(seconds)[len(seconds) // 2] < 0.1
