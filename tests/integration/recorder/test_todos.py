"""What waits for people: in started runs and in those inside them, as long as it waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import grpc
from msgspec.structs import replace
from tests.integration.recorder.desk import Desk, read_all, refused
from tests.integration.recorder.worlds import Tale, wait
from tests.unit.domain.test_forms import call, graph
from tests.waiting import until

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.domain.commands import (
    Answer,
    AnswerWait,
    PauseRun,
    ProvideParameters,
    RequestStop,
    ResumeRun,
    RetrySteps,
)
from foldline.domain.spec import Binding, Body, Graph, Parameter, Retry, Step
from foldline.domain.work import Work
from foldline.testing.world import StepRaises


async def listed(desk: Desk, size: int = 0) -> list[pb.Todo]:
    request = pb.ListTodosRequest(workspace="lab", page_size=size)
    return list((await desk.stub.ListTodos(request)).todos)


async def listed_as(desk: Desk, *expected: tuple[str, str]) -> list[pb.Todo]:
    """Wait until these are the todos: kinds and steps."""

    async def same() -> list[pb.Todo]:
        found = await listed(desk)
        assert [(todo.kind, todo.step) for todo in found] == list(expected)
        return found

    return await until(same)


async def test_a_question_is_a_todo_with_all_that_a_person_needs_to_know(desk: Desk) -> None:
    question = wait(
        "release", "approve", title="Release it?", prompt="Is it good?", assignee="grace", deadline_seconds=60
    )
    tale = await Tale(desk.store, graph(question)).tell()

    (todo,) = await listed_as(desk, ("approve", "release"))

    assert (todo.run_id, todo.workflow, todo.title) == (tale.run_id, "example", "Release it?")
    assert (todo.prompt, todo.assignee) == ("Is it good?", "grace")
    assert todo.deadline.ToDatetime() - todo.since.ToDatetime() == timedelta(seconds=60)


async def test_an_answered_question_is_no_todo_any_more(desk: Desk) -> None:
    fields = (Parameter(name="rate", type="float"),)
    questions = (wait("which", "choose", choices=("a", "b")), wait("fill", "values", fields=fields))
    tale = await Tale(desk.store, graph(*questions)).tell()
    await listed_as(desk, ("choose", "which"), ("values", "fill"))

    await tale.command(AnswerWait("which", Answer(choice="a"), "ada"))

    await listed_as(desk, ("values", "fill"))


async def test_an_event_from_outside_is_nobodys_task(desk: Desk) -> None:
    steps = (wait("signal", "event", event="arrived"), wait("yes", "approve"))
    await Tale(desk.store, graph(*steps)).tell()

    await listed_as(desk, ("approve", "yes"))


def with_delayed() -> Graph:
    return graph(
        call("use", x=Binding(parameter="rate")),
        parameters=(Parameter(name="rate", type="float", delayed=True),),
    )


async def test_parameters_that_a_step_asks_for_are_a_todo(desk: Desk) -> None:
    tale = await Tale(desk.store, with_delayed()).tell()
    (todo,) = await listed_as(desk, ("parameters", "use"))
    assert todo.prompt == "needs rate"
    (step,) = (await desk.stub.GetRun(pb.GetRunRequest(workspace="lab", run_id=tale.run_id))).steps
    assert (step.status, list(step.asked)) == ("asking", ["rate"])

    await tale.command(ProvideParameters({"rate": 0.5}))

    await listed_as(desk)
    shown = await desk.stub.GetRun(pb.GetRunRequest(workspace="lab", run_id=tale.run_id))
    assert dict(shown.run.parameters) == {"rate": 0.5}


def raises(work: Work) -> Mapping[str, Any]:
    del work
    raise StepRaises


async def test_a_held_step_is_a_todo_until_it_is_retried(desk: Desk) -> None:
    held = replace(call("train"), retry=Retry(on_exhausted="pause"))
    tale = await Tale(desk.store, graph(held), behave=raises).run()
    (todo,) = await listed_as(desk, ("held", "train"))
    assert todo.prompt == "it raised"

    await tale.command(RetrySteps(("train",)))

    await listed_as(desk)


async def test_a_question_inside_a_run_inside_a_run_names_the_run_it_is_in(desk: Desk) -> None:
    body = graph(wait("sure", "approve"))
    inside = Step(name="inside", kind="workflow", body=Body(graph=body))
    tale = await Tale(desk.store, graph(inside)).tell()

    (todo,) = await listed_as(desk, ("approve", "sure"))

    assert todo.run_id == f"{tale.run_id}.inside.1.0"


async def test_in_a_paused_run_questions_stay_and_in_a_stopped_one_there_are_none(desk: Desk) -> None:
    tale = await Tale(desk.store, graph(wait("yes", "approve"))).tell()
    await tale.command(PauseRun())
    await status(desk, tale, "paused")
    await listed_as(desk, ("approve", "yes"))
    await tale.command(ResumeRun())
    await status(desk, tale, "running")

    await tale.command(RequestStop())

    await status(desk, tale, "stopped")
    await listed_as(desk)


async def test_the_oldest_come_first_and_no_more_than_asked_for(desk: Desk) -> None:
    first = Tale(desk.store, graph(wait("a", "approve"), wait("b", "approve")))
    clock = first.world.clock
    clock.advance(10)
    second = Tale(desk.store, graph(wait("c", "approve")), clock=clock)
    await second.tell()
    await first.tell()

    await listed_as(desk, ("approve", "a"), ("approve", "b"), ("approve", "c"))

    assert [todo.step for todo in await listed(desk, size=1)] == ["a"]
    assert [todo.step for todo in await listed(desk, size=2)] == ["a", "b"]


async def test_the_todos_of_another_workspace_are_not_there(desk: Desk) -> None:
    request = pb.ListTodosRequest(workspace="other")

    await refused(desk.stub.ListTodos(request), grpc.StatusCode.PERMISSION_DENIED)


async def status(desk: Desk, tale: Tale, expected: str) -> None:
    """Wait until the read model says so."""

    async def says_so() -> None:
        assert [run.status for run in await desk.listed() if run.run_id == tale.run_id] == [expected]

    await until(says_so)


async def test_a_run_that_was_opened_again_is_listed_as_running_and_may_be_watched_again(desk: Desk) -> None:
    failing = [True]

    def once(work: Work) -> Mapping[str, Any]:
        if failing:
            raise StepRaises
        return {"output": work.function.name}

    tale = await Tale(desk.store, graph(call("train")), behave=once).run()
    await status(desk, tale, "failed")
    watch = pb.WatchRunRequest(workspace="lab", run_id=tale.run_id)
    assert [update.run.status for update in await read_all(desk.stub.WatchRun(watch))] == ["failed"]

    failing.clear()
    await tale.command(RetrySteps())

    await status(desk, tale, "running")
    (run,) = await desk.listed()
    assert not run.HasField("end_time")
    assert not run.HasField("failure")
    await tale.run()
    updates = await read_all(desk.stub.WatchRun(watch))
    assert updates[-1].run.status == "completed"
    assert "RunReopened" in [event.type for update in updates for event in update.events]
    await status(desk, tale, "completed")
