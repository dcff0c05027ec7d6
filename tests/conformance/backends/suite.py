"""What every backend must do. A backend's tests inherit from this and give the `bench`."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import signal
import sys
from collections.abc import Sequence

import pytest
from tests.conformance.backends import groups
from tests.conformance.backends.bench import Bench, environment_with, memory_now
from tests.waiting import until

from foldline.runtime.jobs import Job, Limits, Line, Outcome

BOUNDED_BYTES = 256 * 1024**2
"""By how much a caller may grow, whatever a step puts out. Generous: it is a quarter of what goes through."""


def failure_of(outcome: Outcome) -> str:
    assert outcome.failure is not None, outcome.outputs
    return outcome.failure.reason


class BackendConformance:
    #: Steps can join a group of processes of this machine's; those in containers are in one already.
    sees_groups = True
    #: The launcher learns it with `foldline.runtime.watch`; an engine knows it by itself.
    holds_memory = importlib.util.find_spec("foldline.runtime.watch") is not None

    # -- how an attempt ends ------------------------------------------------------------------------

    async def test_a_result_comes_back(self, bench: Bench) -> None:
        outcome = await bench.run(bench.job("add", a=2, b=3))

        assert outcome.failure is None
        assert outcome.outputs["output"].text == "5"
        assert outcome.seconds > 0

    async def test_an_exception_comes_back_with_its_traceback(self, bench: Bench) -> None:
        outcome = await bench.run(bench.job("broken"))

        assert outcome.failure is not None
        assert outcome.failure.kind == "user"
        assert outcome.failure.reason == "STEP_RAISED"
        assert outcome.failure.error_class == "ValueError"
        assert "no such column" in outcome.failure.message
        assert "in broken" in outcome.failure.traceback

    async def test_a_module_that_cannot_be_imported_is_the_steps_failure(self, bench: Bench) -> None:
        outcome = await bench.run(bench.job("add", module="absent", a=1, b=2))

        assert failure_of(outcome) == "STEP_IMPORT_FAILED"

    @pytest.mark.parametrize("code", [1, 3, 77])
    async def test_an_exit_code_is_told(self, bench: Bench, code: int) -> None:
        outcome = await bench.run(bench.job("leave", code=code))

        assert failure_of(outcome) == "STEP_EXITED"
        assert outcome.failure is not None
        assert outcome.failure.exit_code == code

    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM])
    async def test_death_by_a_signal_is_told(self, bench: Bench, number: signal.Signals) -> None:
        outcome = await bench.run(bench.job("kill", number=int(number)))

        assert failure_of(outcome) == "STEP_KILLED"
        assert outcome.failure is not None
        assert outcome.failure.signal == number

    async def test_an_interpreter_that_does_not_start_is_no_fault_of_the_step(self, bench: Bench) -> None:
        outcome = await bench.run(bench.job("add", python=bench.root / "no-python", a=1, b=2))

        assert outcome.failure is not None
        assert outcome.failure.kind == "infrastructure"

    # -- limits ------------------------------------------------------------------------------------

    async def test_a_step_that_takes_too_long_is_ended(self, bench: Bench) -> None:
        outcome = await bench.run(dataclasses.replace(bench.job("mute"), run_seconds=0.5))

        assert failure_of(outcome) == "STEP_TIMED_OUT"
        await self.nothing_is_left(bench)

    async def test_a_step_that_is_silent_for_too_long_is_ended(self, bench: Bench) -> None:
        outcome = await bench.run(dataclasses.replace(bench.job("mute"), silence_seconds=0.5))

        assert failure_of(outcome) == "STEP_SILENT"
        await self.nothing_is_left(bench)

    async def test_memory_beyond_the_limit_is_recorded_as_such(self, bench: Bench) -> None:
        if not self.holds_memory:
            pytest.skip("the launcher does not watch memory yet")
        job = bench.job("gorge", megabytes=1024)

        outcome = await bench.run(dataclasses.replace(job, limits=Limits(memory_bytes=128 * 1024**2)))

        assert failure_of(outcome) == "MEMORY_EXCEEDED"
        await self.nothing_is_left(bench)

    async def test_memory_that_cannot_be_had_is_recorded_as_such(self, bench: Bench) -> None:
        outcome = await bench.run(bench.job("refused"))

        assert failure_of(outcome) == "MEMORY_EXCEEDED"
        assert outcome.failure is not None
        assert "in refused" in outcome.failure.traceback

    async def test_a_step_that_the_kernel_kills_for_its_memory_is_recorded_as_such(
        self, bench: Bench
    ) -> None:
        """Without a limit of its own: nobody but the kernel has seen it."""
        if not self.sees_groups:
            pytest.skip("steps of this backend cannot join a group of this machine's")
        with groups.bounded(64 * 1024**2) as group:
            outcome = await bench.run(bench.job("gorge_in", group=str(group), megabytes=1024))

        assert failure_of(outcome) == "MEMORY_EXCEEDED"
        assert outcome.failure is not None
        assert outcome.failure.signal == signal.SIGKILL

    # -- stopping ----------------------------------------------------------------------------------

    async def test_before_anything_is_there(self, bench: Bench) -> None:
        job = bench.job("mute")
        task = asyncio.create_task(bench.run(job))
        await until(lambda: bench.backend.stop(job.key))

        assert failure_of(await task) == "STEP_STOPPED"
        await self.nothing_is_left(bench)

    async def test_while_the_module_is_imported(self, bench: Bench) -> None:
        (bench.bundle / "endless.py").write_text("import time\ntime.sleep(600)\n")
        job = bench.job("add", module="endless", a=1, b=2)
        task = asyncio.create_task(bench.run(job))
        await until(lambda: bench.processes_of("endless"), timeout=60)

        assert bench.backend.stop(job.key)

        assert failure_of(await task) == "STEP_STOPPED"
        await self.nothing_is_left(bench)

    async def test_while_it_runs(self, bench: Bench) -> None:
        job, task = await self.under_way(bench, "wait")

        assert bench.backend.stop(job.key)

        assert failure_of(await task) == "STEP_STOPPED"
        assert not bench.backend.stop(job.key)
        await self.nothing_is_left(bench)

    async def test_a_step_may_tidy_up_within_its_grace(self, bench: Bench) -> None:
        job, task = await self.under_way(bench, "polite")

        bench.backend.stop(job.key, 60.0)

        assert failure_of(await task) == "STEP_STOPPED"
        assert bench.said("stdout") == ["tidied"]

    async def test_after_the_grace_it_is_ended_with_all_that_it_started(self, bench: Bench) -> None:
        job, task = await self.under_way(bench, "stubborn")

        bench.backend.stop(job.key, 0.2)

        assert failure_of(await task) == "STEP_STOPPED"
        await self.nothing_is_left(bench)

    async def test_forced_during_the_grace(self, bench: Bench) -> None:
        job, task = await self.under_way(bench, "stubborn")
        bench.backend.stop(job.key, 600.0)

        bench.backend.stop(job.key, forced=True)

        assert failure_of(await task) == "STEP_STOPPED"
        await self.nothing_is_left(bench)

    async def test_forced_at_once(self, bench: Bench) -> None:
        job, task = await self.under_way(bench, "stubborn")

        bench.backend.stop(job.key, 600.0, forced=True)

        assert failure_of(await task) == "STEP_STOPPED"

    async def test_while_the_last_lines_are_still_read(self, bench: Bench) -> None:
        gate, heard = asyncio.Event(), asyncio.Event()

        async def hear(lines: Sequence[Line]) -> None:
            heard.set()
            await gate.wait()

        job = bench.job("both")
        task = asyncio.create_task(bench.backend.run(job, hear))
        await asyncio.wait_for(heard.wait(), 60)
        bench.backend.stop(job.key)
        gate.set()

        # It had ended already, or it had not: both are true, but one must be told, and nothing may stay.
        outcome = await task
        assert outcome.failure is None or outcome.failure.reason == "STEP_STOPPED"
        await self.nothing_is_left(bench)

    @pytest.mark.parametrize("function", ["wait", "stubborn"])
    async def test_cancelling_kills_it(self, bench: Bench, function: str) -> None:
        _, task = await self.under_way(bench, function)

        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        await self.nothing_is_left(bench)

    async def test_cancelling_at_the_very_beginning(self, bench: Bench) -> None:
        job = bench.job("mute")
        task = asyncio.create_task(bench.run(job))
        await until(lambda: job.folder.exists())

        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        await self.nothing_is_left(bench)

    async def test_an_error_of_the_listener_ends_the_attempt_and_is_raised(self, bench: Bench) -> None:
        async def fail(lines: Sequence[Line]) -> None:
            raise OSError(f"no room for {lines[0].text}")

        job = bench.job("wait", path="begun")

        with pytest.raises(OSError, match="no room for waiting"):
            await bench.backend.run(job, fail)
        await self.nothing_is_left(bench)

    async def test_what_a_step_leaves_running_does_not_outlive_it(self, bench: Bench) -> None:
        outcome = await bench.run(bench.job("abandon"))

        assert outcome.failure is None
        await self.nothing_is_left(bench)

    # -- what comes out ----------------------------------------------------------------------------

    async def test_streams_are_told_apart(self, bench: Bench) -> None:
        await bench.run(bench.job("both"))

        assert bench.said("stdout") == ["out", "no newline"]
        assert bench.said("stderr") == ["err"]

    async def test_a_million_lines_all_arrive_in_order(self, bench: Bench) -> None:
        expected = 0
        most = 0

        async def hear(lines: Sequence[Line]) -> None:
            nonlocal expected, most
            for line in lines:
                assert line.text == str(expected)
                expected += 1
            most = max(most, memory_now())
            await asyncio.sleep(0.0002)  # a listener that is slower than the step

        before = memory_now()
        outcome = await bench.backend.run(bench.job("numbered", lines=1_000_000), hear)

        assert outcome.failure is None
        assert expected == 1_000_000
        assert most - before < BOUNDED_BYTES

    async def test_a_gigabyte_of_log_passes_through_bounded_memory(self, bench: Bench) -> None:
        most = heard = 0

        async def hear(lines: Sequence[Line]) -> None:
            nonlocal most, heard
            heard += sum(len(line.text) for line in lines)
            most = max(most, memory_now())

        before = memory_now()
        outcome = await bench.backend.run(bench.job("shout", megabytes=1024), hear)

        assert outcome.failure is None
        assert heard == 1024 * 128 * 8191
        assert most - before < BOUNDED_BYTES

    async def test_an_output_of_a_gigabyte_is_a_file_that_never_was_in_memory(self, bench: Bench) -> None:
        before = memory_now()
        outcome = await bench.run(bench.job("large", megabytes=1024))

        file = outcome.outputs["output"].file
        assert file is not None
        assert file.is_relative_to(bench.root)
        assert file.stat().st_size == 1024**3
        assert memory_now() - before < BOUNDED_BYTES
        file.unlink()

    async def test_a_listener_that_is_slow_makes_the_step_wait(self, bench: Bench) -> None:
        gate = asyncio.Event()
        heard = 0

        async def hear(lines: Sequence[Line]) -> None:
            nonlocal heard
            heard += len(lines)
            await gate.wait()

        task = asyncio.create_task(bench.backend.run(bench.job("shout", megabytes=64), hear))
        await until(lambda: heard > 0, timeout=60)
        done, _ = await asyncio.wait([task], timeout=0.5)
        assert not done
        assert heard < 64 * 128

        gate.set()
        assert (await task).failure is None
        assert heard == 64 * 128

    async def test_on_started_is_called_once_for_a_process_that_is_there(self, bench: Bench) -> None:
        calls: list[str] = []
        outcome = await bench.backend.run(
            bench.job("add", a=1, b=2), bench.hear, lambda: calls.append("started")
        )

        assert outcome.failure is None
        assert calls == ["started"]

    # -- environments ------------------------------------------------------------------------------

    async def test_a_package_that_the_platform_does_not_have(self, bench: Bench) -> None:
        assert "oddity" not in sys.modules
        python = await environment_with("1.0", bench.root)

        outcome = await bench.run(bench.job("oddity", python=python))

        assert outcome.failure is None
        assert outcome.outputs["output"].text == '"1.0"'

    async def test_two_environments_that_exclude_each_other_at_once(self, bench: Bench) -> None:
        pythons = [await environment_with(version, bench.root) for version in ("1.0", "2.0")]

        outcomes = await asyncio.gather(
            *(bench.run(bench.job("oddity", python=python)) for python in [*pythons, *pythons])
        )

        assert [outcome.outputs["output"].text for outcome in outcomes] == ['"1.0"', '"2.0"'] * 2

    async def test_a_step_sees_its_own_folder_and_no_settings_of_the_platform(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FOLDLINE_TOKEN_KEY", "secret")
        job = bench.job("environment")
        outcome = await bench.run(job)
        text = outcome.outputs["output"].text
        where = (await bench.run(there := bench.job("place"))).outputs["output"].text

        assert text is not None
        assert "secret" not in text
        assert where is not None
        assert str(there.folder) in where

    # -- words of the suite --------------------------------------------------------------------------

    async def under_way(self, bench: Bench, function: str) -> tuple[Job, asyncio.Task[Outcome]]:
        """A step that has written the file which says that it is well on its way."""
        job = bench.job(function, path="begun")
        task = asyncio.create_task(bench.run(job))
        await until((job.folder / "begun").exists, timeout=60)
        return job, task

    async def nothing_is_left(self, bench: Bench) -> None:
        def gone() -> None:
            assert bench.left() == []

        await until(gone, timeout=60)  # a cluster takes its time to put an end to a job
