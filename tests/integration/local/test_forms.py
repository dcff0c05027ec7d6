"""Every form of control flow in a local run: real step processes, no service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.integration.local.flows import Here, ask, body, call, each, graph, inside, loop, parameter, ref
from tests.waiting import until

from foldline.domain.errors import FoldlineError
from foldline.domain.spec import (
    Binding,
    Expression,
    Guard,
    MetricRef,
    OutputRef,
    Parameter,
    Retry,
    Step,
    Timeouts,
)
from foldline.sdk import local
from foldline.sdk.local import Question
from foldline.sdk.record import Record


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


async def test_a_map_runs_for_each_item_and_gives_a_list(here: Here) -> None:
    declared = graph(
        call("numbers", count=250),
        each(ref("numbers")),
        call("total", x=ref("each")),
        outputs={"total": ref("total")},
    )

    state = await here.run(declared)

    assert state.status == "completed"
    assert state.outputs["total"].value == 250 * 249
    assert set(here.statuses.values()) == {"completed"}
    assert len(here.statuses) == 4


async def test_what_a_map_gives_may_be_any_value(here: Here) -> None:
    arrays = each(Binding(value=[1, 2, 3]), "arrays", takes={"size": parameter("x")})

    state = await here.run(graph(arrays, call("lengths", x=ref("each")), outputs={"lengths": ref("lengths")}))

    assert state.outputs["lengths"].value == [1, 2, 3]


async def test_a_list_in_the_store_is_measured_before_it_is_mapped(here: Here) -> None:
    few = Binding(output=OutputRef(step="long", name="output"))
    declared = graph(call("long", count=150), each(few), call("total", x=ref("each")))

    state = await here.run(declared)

    assert state.step("long").outputs["output"].value is msgspec.UNSET
    assert state.step("total").outputs["output"].value == 150 * 1000 * 2


async def test_items_that_fail_are_tolerated_up_to_a_number(here: Here) -> None:
    some = graph(each(Binding(value=[1, 2, 3]), "picky", tolerated=1), call("total", x=ref("each")))
    none = graph(each(Binding(value=[1, 2, 3]), "picky"))

    assert (await here.run(some)).step("total").outputs["output"].value == 4
    state = await here.run(none)
    assert state.status == "failed"
    assert state.failure is not None
    assert "1 of 3 items failed" in state.failure.message


async def test_no_more_items_run_at_once_than_the_map_allows(here: Here, tmp_path: Path) -> None:
    folder = tmp_path / "running"
    folder.mkdir()
    numbers = Binding(value=list(range(6)))
    one = each(numbers, "at_once", parallelism=1, takes={"folder": str(folder)})

    state = await here.run(graph(one, call("same", x=ref("each"))))

    assert state.step("same").outputs["output"].value == [1] * 6


async def test_a_map_that_is_tried_again_repeats_only_what_failed(here: Here, tmp_path: Path) -> None:
    folder = tmp_path / "tries"
    folder.mkdir()
    takes = {"x": parameter("x"), "folder": str(folder)}
    step = each(Binding(value=[1, 2, 3]), "flaky", takes=takes, retry=Retry(max_attempts=2))

    state = await here.run(graph(step, call("total", x=ref("each"))))

    assert state.step("total").outputs["output"].value == 6
    assert len(state.step("each").attempts) == 2
    ran = [path.name.split("-")[1] for path in folder.iterdir() if path.name.startswith("ran")]
    assert sorted(ran) == ["1", "2", "3"]


async def test_a_loop_goes_on_until_its_condition_holds(here: Here) -> None:
    state = await here.run(graph(loop(50), outputs={"output": ref("loop")}))

    assert state.outputs["output"].value == 64
    assert len(here.statuses) == 7


async def test_a_workflow_inside_has_a_record_of_its_own_inside(here: Here) -> None:
    state = await here.run(graph(inside(body(), x=21), outputs={"answer": ref("inside")}))

    assert state.outputs["answer"].value == 42
    record = Record(here.home / "runs" / state.created.run_id / "inside.1.0")
    assert [entry.type for entry in record.read()][-1] == "RunCompleted"
    assert (record.folder / "logs").is_dir()


async def test_the_next_attempt_goes_on_from_the_checkpoint(here: Here) -> None:
    step = call("resumes", options={"retry": Retry(max_attempts=2)})

    state = await here.run(graph(step))

    assert state.step("resumes").outputs["output"].value == {"epoch": 4}
    assert "AttemptProgressed" in [name for _, name in here.events]


async def test_conditions_see_the_last_value_of_a_metric(here: Here) -> None:
    metric = Binding(metric=MetricRef(step="measures", name="loss"))
    condition = Step(
        name="good",
        kind="condition",
        condition=Expression(op="<", left=metric, right=Binding(value=0.3)),
    )
    guarded = replace(call("number"), guards=(Guard(step="good", branch=True),))

    state = await here.run(graph(call("measures"), condition, guarded))

    assert state.step("number").status == "completed"


async def test_handlers_run_after_the_main_part(here: Here) -> None:
    handler = call("repaired", why=Binding(fact="message"), options={"handles": "failure"})

    state = await here.run(graph(call("lost"), handler))

    assert state.status == "failed"
    assert state.step("repaired").outputs["output"].value == "RuntimeError: no luck"


@pytest.mark.parametrize(
    ("step", "reply", "output", "value"),
    [
        (ask("approve"), True, "approved", True),
        (ask("approve"), {"approved": True, "comment": "fine"}, "approved", True),
        (ask("approve"), local.Typed("yes"), "approved", True),
        (ask("choose", choices=("a", "b")), local.Typed("b"), "choice", "b"),
        (ask("values", fields=(Parameter(name="rows", type="int"),)), {"rows": 3}, "rows", 3),
        (ask("event", event="labels"), local.Typed('{"count": 3}'), "data", {"count": 3}),
    ],
)
async def test_an_answer_given_beforehand_lets_the_run_go_on(
    here: Here, step: Step, reply: Any, output: str, value: Any
) -> None:
    declared = graph(step, call("same", x=ref("ask", output)))

    state = await here.run(declared, answers={"ask": reply})

    assert state.step("same").outputs["output"].value == value


async def test_a_no_fails_the_run(here: Here) -> None:
    state = await here.run(graph(ask()), answers={"ask": False})

    assert state.status == "failed"
    assert state.failure is not None
    assert state.failure.reason == "REJECTED"


async def test_somebody_is_asked_until_the_answer_fits(here: Here) -> None:
    asked: list[Question] = []

    async def answer(question: Question) -> str:
        asked.append(question)
        return "c" if len(asked) == 1 else "a"

    declared = graph(
        call("number"),
        replace(ask("choose", choices=("a", "b")), inputs={"n": ref("number")}, after=("number",)),
    )

    state = await here.run(declared, ask=answer)

    assert state.step("ask").outputs["choice"].value == "a"
    assert asked[0].shown["n"].artifact
    assert "offers a, b, not 'c'" in asked[1].problem


async def test_a_question_that_nobody_answers_stops_the_run_and_is_named(here: Here) -> None:
    with pytest.raises(FoldlineError) as refused:
        await here.run(graph(ask(prompt="good enough?"), call("number")))

    assert refused.value.reason == "NOT_ANSWERED"
    assert "step ask asks for an answer (good enough?); give --answer ask=" in refused.value.message
    assert list(here.statuses.values()) == ["stopped"]
    assert ("number", "completed") not in here.events


async def test_a_question_inside_is_named_by_the_steps_around_it(here: Here) -> None:
    inner = graph(ask(), outputs={"output": ref("ask", "approved")})

    with pytest.raises(FoldlineError) as refused:
        await here.run(graph(inside(inner)))
    assert "--answer inside/ask=" in refused.value.message

    state = await here.run(graph(inside(inner)), answers={"inside/ask": True})
    assert state.step("inside").outputs["output"].value is True


async def test_a_deadline_comes_also_when_nobody_answers(here: Here) -> None:
    state = await here.run(graph(ask(deadline_seconds=0.2, at_deadline="approve")))

    assert state.status == "completed"
    assert state.step("ask").outputs["by"].value == "deadline"


async def test_delayed_parameters_are_asked_for_together(here: Here) -> None:
    parameters = tuple(Parameter(name=name, type="int", delayed=True) for name in ("a", "b"))
    asked: list[Question] = []

    async def answer(question: Question) -> dict[str, int]:
        asked.append(question)
        return {"a": 1, "b": 2}

    declared = graph(
        call("first", "number"),
        call("same", x=parameter("a"), options={"after": ("first",)}),
        parameters=parameters,
    )

    state = await here.run(declared, ask=answer)

    assert state.step("same").outputs["output"].value == 1
    assert [field.name for field in asked[0].fields] == ["a"]


async def test_a_held_step_is_retried_or_stopped_as_somebody_says(here: Here) -> None:
    held = call("lost", options={"retry": Retry(max_attempts=1, on_exhausted="pause")})
    replies = ["retry", "stop"]

    async def answer(question: Question) -> str:
        assert question.kind == "held"
        return replies.pop(0)

    state = await here.run(graph(held), ask=answer)

    assert state.status == "stopped"
    assert len(state.step("lost").attempts) == 2


async def test_a_held_step_that_nobody_decides_on_ends_the_run(here: Here) -> None:
    held = call("lost", options={"retry": Retry(max_attempts=1, on_exhausted="pause")})

    with pytest.raises(FoldlineError, match="step lost is held: RuntimeError: no luck"):
        await here.run(graph(held))


async def test_an_answer_for_a_step_that_there_is_not_is_refused(here: Here) -> None:
    with pytest.raises(FoldlineError, match="did you mean ask"):
        await here.run(graph(ask()), answers={"aks": True})


async def test_a_wrong_answer_given_beforehand_stops_the_run(here: Here) -> None:
    with pytest.raises(FoldlineError, match="offers a, not 'b'"):
        await here.run(graph(ask("choose", choices=("a",))), answers={"ask": "b"})

    assert list(here.statuses.values()) == ["stopped"]


async def test_a_step_that_takes_too_long_in_all_is_stopped(here: Here, tmp_path: Path) -> None:
    step = call(
        "sleeps",
        path=str(tmp_path / "there"),
        options={"timeouts": Timeouts(total_seconds=1, grace_seconds=0.1)},
    )

    state = await here.run(graph(step))

    assert state.failure is not None
    assert state.failure.reason == "STEP_OUT_OF_TIME"


async def test_stopping_a_run_stops_what_runs_inside_it(here: Here, tmp_path: Path) -> None:
    stop, force = asyncio.Event(), asyncio.Event()
    one = each(Binding(value=[str(tmp_path / "there")]), "sleeps", takes={"path": parameter("x")})
    running = asyncio.create_task(here.run(graph(one), stop=stop, force=force))
    await until((tmp_path / "there").exists, timeout=30)

    stop.set()
    state = await running

    assert state.status == "stopped"
    assert set(here.statuses.values()) == {"stopped"}


async def test_a_partial_run_takes_from_an_earlier_one_what_it_does_not_run(here: Here) -> None:
    declared = graph(call("number"), call("double", x=ref("number")), outputs={"output": ref("double")})
    first = await here.run(declared)
    given = local.given_by(here.home, first.created.run_id[:13], declared, ("double",))

    state = await here.run(declared, selected=("double",), given=given)

    assert state.outputs["output"].value == 14
    assert state.step("number").reused_from == f"{first.created.run_id}/number/1"


async def test_a_partial_run_that_lacks_an_input_is_refused(here: Here) -> None:
    declared = graph(call("number"), call("double", x=ref("number")))

    with pytest.raises(FoldlineError) as refused:
        await here.run(declared, selected=("double",))

    assert refused.value.reason == "UNSELECTED_INPUT"
    assert not (here.home / "runs").exists()
