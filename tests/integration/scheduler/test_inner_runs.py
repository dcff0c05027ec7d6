"""Runs inside steps, on a real ledger: created, told, taken over, their lists kept in a real store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from msgspec import UNSET
from tests.integration.scheduler.installation import (
    META,
    Platform,
    count,
    created,
    ended,
    history,
    owner,
)
from tests.integration.scheduler.scripted import ScriptedExecutor, beating
from tests.unit.domain.test_forms import call, double, graph, map_step, ref, repeat_step
from tests.waiting import until

from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact
from foldline.domain.commands import CreateRun, PauseRun, RequestStop, ResumeRun
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.failures import Failure
from foldline.domain.inner import child_id
from foldline.domain.spec import Binding, Body, Step
from foldline.domain.work import Work
from foldline.eventstore import facts
from foldline.eventstore.port import Head, NewEvent, Recorded
from foldline_scheduler.partitions import PARTITIONS
from foldline_scheduler.run import OwnedRun

RAISED = Failure(kind="user", reason="STEP_RAISED", message="no")


def doubled(work: Work) -> Mapping[str, Any]:
    """What the function `double` gives."""
    given = work.inputs["x"]
    value: Any = given.value if given.artifact is UNSET else given.artifact.value
    return {"output": value * 2}


async def stored_list(platform: Platform, values: list[Any]) -> Artifact:
    """A JSON list that is too long for an event."""
    content = msgspec.json.encode(values)
    digest = await platform.artifacts.put_bytes(content)
    return Artifact(digest=digest, type="json", encoding="json", size_bytes=len(content))


async def entries(platform: Platform, artifact: Artifact) -> list[Artifact]:
    """The artifacts of a list; a short one travels in the event alone."""
    if artifact.value is not UNSET:
        return msgspec.convert(artifact.value, list[Artifact])
    return msgspec.json.decode(await platform.artifacts.read(artifact.digest), type=list[Artifact])


async def test_a_map_over_a_list_in_the_store_goes_through_its_children(platform: Platform) -> None:
    values = list(range(250))
    numbers = await stored_list(platform, values)

    def behave(work: Work) -> Mapping[str, Any]:
        if work.function.name == "numbers":
            return {"output": numbers}
        return {"output": 0} if work.function.name == "total" else doubled(work)

    run = created(graph(call("numbers"), map_step(ref("numbers")), call("total", x=ref("each"))))
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", slots=50, behave=behave).start()
        await one.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run))

    recorded = await history(platform, run)
    assert count(recorded, "ChildStarted") == count(recorded, "ChildEnded") == 3
    total = next(work for work in executor.orders if work.function.name == "total")
    gathered = total.inputs["x"].artifact
    assert gathered is not UNSET
    parts = await entries(platform, gathered)
    lists = [await entries(platform, part) for part in parts]
    assert [entry.value for part in lists for entry in part] == [value * 2 for value in values]


async def test_a_ledger_that_goes_away_while_a_child_is_made_delays_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, refused = platform.store.read_stream, list[str]()

    async def read_stream(stream: str, *, after: int = 0, limit: int | None = None) -> list[Recorded]:
        if "." in stream and not refused:
            refused.append(stream)
            raise FoldlineError(Kind.UNAVAILABLE, "LEDGER_UNAVAILABLE", "the connection was closed")
        return await read(stream, after=after, limit=limit)

    monkeypatch.setattr(platform.store, "read_stream", read_stream)
    run = created(graph(map_step(Binding(value=[1, 2, 3]))))
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", behave=doubled).start()
        await one.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run))

    assert refused == [f"run-{child_id(run.run_id, 'each', 1, 0)}"]


async def test_a_lease_that_runs_out_during_a_write_and_comes_back_costs_no_child(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = created(graph(map_step(Binding(value=[1, 2, 3]))))
    async with owner(platform) as one:
        append, help_ = platform.store.append, one._help

        async def slowly(stream: str, expected: Head, events: Sequence[NewEvent]) -> Head:
            head = await append(stream, expected, events)
            if stream == f"run-{run.run_id}":
                one._believed_until = 0.0
            return head

        async def help_renewed(owned: OwnedRun) -> None:
            one._believed_until = math.inf
            await help_(owned)

        monkeypatch.setattr(platform.store, "append", slowly)
        monkeypatch.setattr(one, "_help", help_renewed)
        executor = await ScriptedExecutor(platform.bus, "ex", behave=doubled).start()
        await one.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run))


async def test_what_is_no_list_fails_the_map_with_the_reason(platform: Platform) -> None:
    table = Artifact(digest="sha256:" + "0" * 64, type="table", encoding="parquet", size_bytes=1)
    run = created(graph(call("numbers"), map_step(ref("numbers"))))
    async with owner(platform) as one:
        executor = ScriptedExecutor(platform.bus, "ex", behave=lambda _: {"output": table})
        await executor.start()
        await one.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run, "RunFailed"))

    failed = next(one for one in await history(platform, run) if one.type == "StepFailed")
    assert '"NOT_A_LIST"' in failed.payload


async def test_a_loop_whose_owner_dies_again_and_again_runs_each_iteration_once(platform: Platform) -> None:
    run = created(graph(repeat_step(1000)))
    async with owner(platform) as one:
        await one.command(run.run_id, CreateRun(run), META)
    executor = await ScriptedExecutor(platform.bus, "ex", behave=doubled).start()
    for limit in (2, 4, 6, 8):
        async with owner(platform) as one:
            await one.adopt(await platform.open_runs.of(range(PARTITIONS)))

            async def far_enough(limit: int = limit) -> bool:
                return count(await history(platform, run), "ChildEnded") >= limit

            await beating(executor, far_enough)
    async with owner(platform) as one:
        await one.adopt(await platform.open_runs.of(range(PARTITIONS)))
        await beating(executor, ended(platform, run))

    recorded = await history(platform, run)
    assert count(recorded, "ChildStarted") == count(recorded, "ChildEnded") == 10
    orders = {(work.key.run_id, work.key.attempt) for work in executor.orders}
    assert len(orders) == 10
    assert await platform.open_runs.of(range(PARTITIONS)) == []


async def test_a_child_whose_end_its_parent_has_not_heard_of_is_heard_by_the_next_owner(
    platform: Platform,
) -> None:
    run = created(
        graph(Step(name="in", kind="workflow", inputs={"x": Binding(value=1)}, body=Body(graph=double())))
    )
    executor = ScriptedExecutor(platform.bus, "ex", answers=False)
    async with owner(platform) as one:
        await executor.start()
        await one.command(run.run_id, CreateRun(run), META)
        await until(lambda: bool(executor.orders))
    # The child ends as if its owner had died right behind that commit.
    child = child_id(run.run_id, "in", 1, 0)
    stream = f"run-{child}"
    recorded = await platform.store.read_stream(stream)
    events = [ev.AttemptSucceeded(step="double", attempt=1), ev.RunCompleted()]
    new = facts.new_events(events, META, recorded[-1].time)
    await platform.store.append(stream, recorded[-1].head, new)

    async with owner(platform) as one:
        await one.adopt(await platform.open_runs.of(range(PARTITIONS)))
        await beating(executor, ended(platform, run))


async def test_stopping_a_run_ends_the_attempts_inside_it(platform: Platform) -> None:
    run = created(graph(map_step(Binding(value=[1, 2, 3]))))
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", answers=False).start()
        await one.command(run.run_id, CreateRun(run), META)
        await until(lambda: len(executor.orders) == 3)

        await one.command(run.run_id, RequestStop("enough"), META)
        await until(lambda: len(executor.stops) == 3)
        for work in executor.orders:
            stopped = Failure(kind="stopped", reason="STEP_STOPPED", message="stopped")
            await executor.report(work, "failed", failure=stopped)
        await beating(executor, ended(platform, run, "RunStopped"))


async def test_a_paused_run_pauses_the_runs_inside_it(platform: Platform) -> None:
    run = created(graph(repeat_step(1000)))
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", answers=False).start()
        await one.command(run.run_id, CreateRun(run), META)
        await until(lambda: bool(executor.orders))
        await one.command(run.run_id, PauseRun(), META)
        child = await one.load(child_id(run.run_id, "loop", 1, 0))
        assert child is not None
        await until(lambda: child.state is not None and child.state.status == "paused")

        executor.answers, executor.behave = True, doubled
        await one.command(run.run_id, ResumeRun(), META)
        await executor.report(executor.orders[0], "succeeded", outputs={"output": _two()})
        await beating(executor, ended(platform, run))


def _two() -> Artifact:
    return Artifact(digest="sha256:00", type="int", encoding="json", size_bytes=1, value=2)


async def test_items_that_fail_beyond_what_is_tolerated_stop_the_others(platform: Platform) -> None:
    def behave(work: Work) -> Mapping[str, Any] | Failure:
        return RAISED

    run = created(graph(map_step(Binding(value=list(range(300))), tolerated=3)))
    async with owner(platform) as one:
        executor = await ScriptedExecutor(platform.bus, "ex", slots=2, behave=behave).start()
        await one.command(run.run_id, CreateRun(run), META)
        await beating(executor, ended(platform, run, "RunFailed"))

    assert len(executor.orders) < 30
    failed = next(one for one in await history(platform, run) if one.type == "RunFailed")
    assert "ITEMS_FAILED" in failed.payload
