"""Why a step does not run, as far as the run knows: a stable word, and a sentence that names what lacks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.domain.graphs import failure, function, guarded
from tests.unit.domain.test_forms import double, graph, ref, repeat_step, wait_step

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.domain.artifacts import Artifact, inline
from foldline.domain.commands import (
    LoseAttempts,
    PauseRun,
    ReceiveReport,
    RequestStop,
    ScheduleSteps,
)
from foldline.domain.spec import (
    Binding,
    Body,
    Expression,
    Graph,
    Map,
    Output,
    Parameter,
    Retry,
    Step,
)
from foldline.domain.waiting import WaitingStep, why_waiting
from foldline.domain.work import AttemptKey, Report
from foldline.testing.world import World


def world(declared: Graph, **options: Any) -> World:
    return World(declared, behave=lambda work: {one.name: work.key.step for one in work.outputs}, **options)


def schedule(of: World, step: str) -> None:
    of.command(ScheduleSteps(((step, "ex"),)))


def end(of: World, step: str, **changes: Any) -> None:
    key = AttemptKey(run_id=of.run_id, step=step, attempt=len(of.state.step(step).attempts))
    fields = {"kind": "failed", "seconds": 1.0, "failure": failure(), **changes}
    of.command(ReceiveReport(Report(key=key, session="ex", **fields)))


def why(of: World, step: str) -> WaitingStep | None:
    return {one.step: one for one in why_waiting(of.state, of.clock.now())}.get(step)


def reason(of: World, step: str) -> tuple[str, str] | None:
    found = why(of, step)
    return None if found is None else (found.reason, found.message)


def test_a_step_behind_others_names_those_that_are_open() -> None:
    one = world(graph(function("a"), function("b"), function("c", "a", "b")))
    schedule(one, "a")
    end(one, "a", kind="succeeded", outputs={"output": inline(1)})

    assert reason(one, "c") == ("UPSTREAM", "it waits for b")


def test_of_many_steps_before_it_a_few_are_named() -> None:
    names = [f"a{number}" for number in range(8)]

    one = world(graph(*map(function, names), function("z", *names)))

    assert reason(one, "z") == ("UPSTREAM", "it waits for a0, a1, a2, a3, a4 and 3 more")


def test_a_ready_step_is_for_the_queue_to_explain() -> None:
    one = world(graph(function("a")))

    found = why(one, "a")

    assert found is not None
    assert (found.reason, found.since, found.run_id) == ("QUEUED", one.clock.now(), "run")


def test_a_step_that_was_given_out_names_its_executor() -> None:
    one = world(graph(function("a")))
    schedule(one, "a")

    assert reason(one, "a") == ("STARTING", "attempt 1 was given to executor ex and has not started")


def test_what_runs_or_has_ended_does_not_wait() -> None:
    one = world(graph(function("a"), function("b")))
    schedule(one, "a")
    end(one, "a", kind="started")

    assert reason(one, "a") is None
    end(one, "a", kind="succeeded", outputs={"output": inline(1)})
    assert reason(one, "a") is None
    one.command(RequestStop())
    assert why_waiting(one.state, one.clock.now()) == ()


def test_a_retry_says_when() -> None:
    one = world(graph(function("a", retry=Retry(max_attempts=2, delay_seconds=60.0, jitter=0.0))))
    schedule(one, "a")
    end(one, "a")
    at = one.clock.now() + timedelta(seconds=60)

    assert reason(one, "a") == ("RETRY", f"attempt 2 may start from {at:%Y-%m-%d %H:%M:%S} UTC")
    one.clock.advance(60)
    found = why(one, "a")
    assert found is not None
    assert (found.reason, found.since) == ("QUEUED", at)


@pytest.mark.parametrize(
    ("wait", "message"),
    [
        ({}, "it waits for somebody to approve or reject"),
        ({"assignee": "ada"}, "it waits for ada to approve or reject"),
        ({"kind": "choose", "choices": ("x", "y")}, "it waits for somebody to choose one of x, y"),
        (
            {"kind": "values", "fields": (Parameter(name="rows", type="int"),)},
            "it waits for somebody to give rows",
        ),
    ],
)
def test_a_question_names_who_is_asked_for_what(wait: dict[str, Any], message: str) -> None:
    assert reason(world(graph(wait_step(**wait))), "ask") == ("ANSWER", message)


def test_a_deadline_is_named() -> None:
    one = world(graph(wait_step(deadline_seconds=90.0)))

    found = reason(one, "ask")

    at = one.clock.now() + timedelta(seconds=90)
    assert found == (
        "ANSWER",
        f"it waits for somebody to approve or reject, until {at:%Y-%m-%d %H:%M:%S} UTC",
    )


def test_an_event_is_named() -> None:
    one = world(graph(wait_step(kind="event", event="data-is-there")))

    assert reason(one, "ask") == ("EVENT", "it waits for the event data-is-there")


def test_delayed_parameters_are_named() -> None:
    step = function("a")
    step = replace(step, inputs={"x": Binding(parameter="rate"), "y": Binding(parameter="rows")})
    delayed = tuple(Parameter(name=name, type="int", delayed=True) for name in ("rate", "rows"))

    one = world(replace(graph(step), parameters=delayed))

    assert reason(one, "a") == ("PARAMETERS", "it waits for values of rate, rows")


def test_a_held_step_says_what_somebody_has_to_look_at() -> None:
    one = world(graph(function("a", retry=Retry(max_attempts=1, on_exhausted="pause"))))
    schedule(one, "a")
    end(one, "a", failure=replace(failure(), message="the disk is full"))

    assert reason(one, "a") == (
        "HELD",
        "it is held until somebody retries or stops it: the disk is full",
    )


def test_a_paused_run_starts_nothing_new() -> None:
    one = world(graph(function("a"), function("b", "a")))
    one.command(PauseRun())

    found = reason(one, "a")
    assert found is not None
    assert found[0] == "PAUSED"
    assert reason(one, "b") == ("UPSTREAM", "it waits for a")


def test_a_run_that_is_being_stopped_starts_nothing_new() -> None:
    one = world(graph(function("a"), function("b")))
    schedule(one, "a")
    one.command(RequestStop())

    assert reason(one, "b") == ("STOPPING", "the run is being stopped; nothing new starts")


def test_after_a_failure_what_runs_is_let_end() -> None:
    one = world(graph(function("a"), function("b"), function("c")))
    schedule(one, "a")
    schedule(one, "b")
    end(one, "a")

    found = reason(one, "c")

    assert found is not None
    assert (one.state.status, found[0]) == ("running", "STOPPING")


def test_handlers_wait_for_the_end_of_the_rest() -> None:
    one = world(graph(function("a"), function("x", handles="exit"), function("f", handles="failure")))

    assert reason(one, "x") == ("HANDLER", "it runs once the rest of the run has ended")
    assert reason(one, "f") == ("HANDLER", "it runs once the rest of the run has failed")
    schedule(one, "a")
    end(one, "a")
    found = why(one, "x")
    assert found is not None
    assert found.reason == "QUEUED"


def map_of(count: int) -> Step:
    return Step(
        name="each",
        kind="map",
        inputs={"x": Binding(value=list(range(count)))},
        outputs=(Output(name="output"),),
        body=Body(graph=double()),
        map=Map(over="x"),
    )


def test_a_map_counts_its_items() -> None:
    one = world(graph(map_of(150)))

    assert reason(one, "each") == ("CHILDREN", "0 of 150 items have ended; 2 runs inside it are under way")


def test_a_map_whose_list_has_to_be_fetched_is_about_to_begin() -> None:
    kept_outside = Artifact(digest="sha256:00", type="list", encoding="json", size_bytes=1 << 20)
    over_output = replace(map_of(0), inputs={"x": ref("numbers")})
    one = world(graph(function("numbers"), over_output))
    schedule(one, "numbers")
    end(one, "numbers", kind="succeeded", outputs={"output": kept_outside})

    assert reason(one, "each") == ("BEGINNING", "it is about to begin")


def test_a_loop_counts_its_iterations() -> None:
    one = world(graph(repeat_step(100, maximum=7)))

    assert reason(one, "loop") == ("CHILDREN", "iteration 1 of at most 7; 1 run inside it is under way")


def test_a_step_with_a_cache_is_looked_up_first() -> None:
    one = world(graph(function("a", cache=True)))

    assert reason(one, "a") == ("RECALL", "it is looked up whether an equal attempt is known")


def test_a_lost_attempt_waits_for_its_retry() -> None:
    one = world(graph(function("a")))
    schedule(one, "a")
    one.command(LoseAttempts("ex"))

    found = why(one, "a")

    assert found is not None
    assert found.reason == "RETRY"


def test_a_step_behind_a_condition_waits_for_it() -> None:
    decision = Step(
        name="big",
        kind="condition",
        condition=Expression(op=">", left=ref("a"), right=Binding(value=1)),
    )

    one = world(graph(function("a"), decision, guarded(function("b"), "big", True)))

    assert reason(one, "big") == ("UPSTREAM", "it waits for a")
    assert reason(one, "b") == ("UPSTREAM", "it waits for big")


def test_the_answer_has_the_fields_of_its_message() -> None:
    assert set(WaitingStep.__struct_fields__) == {field.name for field in pb.WaitingStep.DESCRIPTOR.fields}
