"""What is taken over from earlier runs, what is not, and which reason is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.domain.test_forms import Lab, call, graph, map_step, ref, repeat_step, wait_step

from foldline.domain.commands import (
    Answer,
    AnswerWait,
    Recall,
    RecallSteps,
    RequestStop,
    RetrySteps,
    StopStep,
)
from foldline.domain.decide import Refused
from foldline.domain.failures import Failure
from foldline.domain.keys import key_of
from foldline.domain.recall import index, lineage, recall
from foldline.domain.relations import Origin, Reuse
from foldline.domain.run import recallable
from foldline.domain.spec import Binding, Body, Graph, Map, Output, Parameter, Retry, Step
from foldline.domain.work import Work
from foldline.testing.world import StepRaises, World


def play(declared: Graph, lab: Lab | None = None, /, **options: Any) -> World:
    world = open_world(declared, lab, **options)
    world.run()
    return world


def open_world(declared: Graph, lab: Lab | None = None, /, **options: Any) -> World:
    lab = lab or Lab()

    def behave(work: Work) -> Mapping[str, Any]:
        return lab(work)

    world = World.__new__(World)
    lab.world = world
    world.__init__(declared, behave=behave, **options)  # type: ignore[misc]  # the lab needs it before it runs
    return world


def again(origin: World, declared: Graph | None = None, lab: Lab | None = None, /, **options: Any) -> World:
    """A run made from `origin`; what is not said is as it was there."""
    created = origin.state.created
    again, allow = options.pop("again", ()), options.pop("allow", ())
    options = {
        "parameters": origin.state.parameters,
        "run_id": f"{origin.run_id}x",
        "earlier": [origin],
        "origin": Origin(kind="fork", run_id=origin.run_id, again=again, allow=allow),
        **options,
    }
    return play(declared or created.graph, lab, **options)


def ran(world: World) -> list[str]:
    return [key.step for key in world.attempts]


def note(world: World, step: str) -> str:
    return world.state.step(step).note


ROWS = Parameter(name="rows", type="int")


def rows() -> Binding:
    return Binding(parameter="rows")


def chain(**changes: Any) -> Graph:
    steps = (call("a", rows=rows()), call("b", x=ref("a")), call("c", x=ref("b"), rows=rows()))
    return graph(*steps, parameters=(ROWS,), **changes)


def unsafe(step: Step, **changes: Any) -> Step:
    return replace(step, effects="unsafe", **changes)


# -- equal attempts --------------------------------------------------------------------------------


def test_a_fork_without_a_change_takes_everything_over() -> None:
    origin = play(chain(), parameters={"rows": 10})

    world = again(origin)

    assert world.state.status == "completed"
    assert ran(world) == []
    assert note(world, "a") == "reused: equal attempt in run run"
    assert world.state.step("a").reused_from == "run/a/1"


def test_only_what_an_edit_changes_runs_again_and_the_reason_names_it() -> None:
    origin = play(chain(), parameters={"rows": 10})

    world = again(origin, parameters={"rows": 20})

    assert ran(world) == ["a", "c"]  # what a gives is the same, so b is
    assert world.state.step("a").attempts
    declined = [event for event, _ in world.histories["runx"] if type(event).__name__ == "ReuseDeclined"]
    assert [event.reason for event in declined] == [  # type: ignore[union-attr]  # filtered by type
        "no earlier attempt with these inputs: input rows is 20 instead of 10",
        "no earlier attempt with these inputs: input rows is 20 instead of 10",
    ]


def test_a_fork_of_a_fork_takes_over_what_either_has_done() -> None:
    first = play(chain(), parameters={"rows": 10})
    second = again(first, parameters={"rows": 20})

    third = again(second, parameters={"rows": 10}, run_id="third", earlier=[first, second])

    assert ran(third) == []
    assert third.state.step("b").reused_from == "run/b/1"


def test_steps_that_are_asked_for_run_again_and_no_others() -> None:
    origin = play(chain(), parameters={"rows": 10})

    assert ran(again(origin, again=("b",))) == ["b"]
    assert ran(again(origin, again=("*",))) == ["a", "b", "c"]


def test_a_failed_step_runs_again() -> None:
    lab = Lab()
    lab.failing = ["b"]
    origin = play(chain(), lab, parameters={"rows": 10})

    world = again(origin)

    assert ran(world) == ["b", "c"]


def test_a_whole_number_and_the_same_number_as_a_fraction_are_different_inputs() -> None:
    one = graph(call("a", x=Binding(value=1)))
    origin = play(one)

    assert ran(again(origin, graph(call("a", x=Binding(value=1.0))))) == ["a"]


def test_a_step_that_finished_before_a_retry_brought_other_values_is_known_by_its_own() -> None:
    lab = Lab()
    lab.failing = ["b"]
    origin = play(chain(), lab, parameters={"rows": 10})
    lab.failing = []
    origin.command(RetrySteps(("b",), values={"rows": 20}))
    origin.run()
    assert ran(origin) == ["a", "b", "b", "c"]

    assert ran(again(origin, parameters={"rows": 20})) == ["a"]
    assert ran(again(origin, parameters={"rows": 10})) == ["c"]


def test_an_answer_for_other_inputs_than_the_step_has_now_is_no_answer() -> None:
    origin = play(chain(), parameters={"rows": 10})
    lab = Lab()
    world = open_world(
        chain(), lab, parameters={"rows": 10}, run_id="x", origin=Origin(kind="fork", run_id="run")
    )
    reuse = Reuse(run_id="run", step="a", attempt=1, outputs=origin.state.step("a").outputs)

    world.command(RecallSteps((Recall(step="a", key="sha256:of-other-inputs", reason="", reuse=reuse),)))

    assert recallable(world.state) == ("a",)


# -- runs inside steps -----------------------------------------------------------------------------


def test_a_map_over_more_items_runs_for_the_new_ones() -> None:
    lab = Lab()
    origin = play(graph(map_step(Binding(value=[1, 2, 3]))), lab)

    world = again(origin, graph(map_step(Binding(value=[0, 1, 2, 3, 4]))))

    assert ran(world) == ["double.0", "double.4"]
    assert world.value(world.state.step("each").outputs["output"]) == [0, 2, 4, 6, 8]


def test_a_failed_map_that_is_retried_runs_what_is_missing_alone() -> None:
    lab = Lab()
    lab.failing = [2]
    world = play(graph(map_step(Binding(value=[1, 2, 3]))), lab)

    lab.failing = []
    world.command(RetrySteps())
    world.run()

    assert world.state.status == "completed"
    assert [key.step for key in world.attempts if ".2." in key.run_id] == ["double.1", "double.2"]


def test_a_map_that_tolerated_a_failure_tries_that_item_again() -> None:
    lab = Lab()
    lab.failing = [2]
    origin = play(graph(map_step(Binding(value=[1, 2, 3]), tolerated=1)), lab)

    world = again(origin)

    assert ran(world) == ["double.1"]
    assert world.value(world.state.step("each").outputs["output"]) == [2, 4, 6]


def test_a_loop_with_a_later_end_goes_on_where_the_earlier_one_ended() -> None:
    origin = play(graph(repeat_step(8)))

    world = again(origin, graph(repeat_step(32)))

    assert len(world.attempts) == 2
    assert world.state.step("loop").outputs["output"].value == 32


def test_a_step_inside_a_step_can_be_asked_for() -> None:
    origin = play(graph(map_step(Binding(value=[1, 2]))))

    assert ran(again(origin, again=("each/double",))) == ["double.0", "double.1"]
    assert ran(again(origin, again=("each/double.1",))) == ["double.1"]
    assert ran(again(origin, again=("each",))) == ["double.0", "double.1"]


def test_values_of_a_retry_do_not_reach_into_what_has_begun() -> None:
    lab = Lab()
    lab.failing = ["b"]
    each = map_step(Binding(parameter="list"))
    declared = graph(
        each, call("b"), parameters=(Parameter(name="list", type="json"),), on_failure="continue"
    )
    world = open_world(declared, lab, parameters={"list": list(range(150))})
    world.attempt("run.each.1.0", "double.0")
    world.attempt("run", "b")

    world.command(RetrySteps(("b",), values={"list": [1]}))
    lab.failing = []
    world.run()

    assert world.state.status == "completed"
    assert len(world.value(world.state.step("each").outputs["output"])) == 150


# -- waits and handlers ----------------------------------------------------------------------------


def asking(*, number: int, **changes: Any) -> Graph:
    ask = replace(wait_step(**changes), after=("a",))
    return graph(call("a", x=Binding(value=number)), ask, call("next", x=ref("ask", "approved")))


def test_an_answer_counts_again_where_nothing_before_it_changed() -> None:
    origin = play(asking(number=1))
    origin.command(AnswerWait("ask", Answer(approved=True), by="ada"))
    origin.run()

    world = again(origin)

    assert (world.state.status, ran(world)) == ("completed", [])
    assert note(world, "ask") == "reused: answered in run run"


def test_an_answer_does_not_count_for_another_result() -> None:
    origin = play(asking(number=1))
    origin.command(AnswerWait("ask", Answer(approved=True), by="ada"))

    world = again(origin, asking(number=2), Lab(a="something else"))

    assert world.state.step("ask").status == "awaiting"


def test_an_answer_does_not_count_for_another_question_with_the_same_words() -> None:
    two = graph(wait_step(), replace(wait_step(), name="again", after=("ask",)))
    origin = play(two)
    origin.command(AnswerWait("ask", Answer(approved=True), by="ada"))

    world = again(origin)

    assert world.state.step("ask").status == "completed"
    assert world.state.step("again").status == "awaiting"


def test_handlers_run_anew() -> None:
    origin = play(graph(call("a"), replace(call("report"), handles="exit")))

    assert ran(again(origin)) == ["report"]


# -- unsafe steps ----------------------------------------------------------------------------------


def paying(**changes: Any) -> Graph:
    return graph(call("a", rows=rows()), unsafe(call("pay", rows=rows()), **changes), parameters=(ROWS,))


def test_an_unsafe_step_with_equal_inputs_is_taken_over() -> None:
    origin = play(paying(), parameters={"rows": 1})

    assert (again(origin).state.status, ran(again(origin))) == ("completed", [])


def test_an_unsafe_step_that_ran_is_held_and_the_reason_says_what_to_type() -> None:
    origin = play(paying(), parameters={"rows": 1})

    world = again(origin, parameters={"rows": 2})

    assert world.state.step("pay").status == "held"
    assert note(world, "pay") == (
        "unsafe to run again, and it has run before (no earlier attempt with these inputs: input rows is 2 "
        "instead of 1); retry step pay by name to let it run, or fork with --allow pay"
    )
    assert ran(world) == ["a"]


def test_an_unsafe_step_that_is_allowed_runs() -> None:
    origin = play(paying(), parameters={"rows": 1})

    world = again(origin, parameters={"rows": 2}, allow=("pay",))

    assert ran(world) == ["a", "pay"]


def test_an_unsafe_step_that_is_asked_for_needs_a_yes_besides() -> None:
    origin = play(paying(), parameters={"rows": 1})

    world = again(origin, again=("*",))

    assert (world.state.step("pay").status, ran(world)) == ("held", ["a"])


def test_an_unsafe_step_that_never_ran_runs() -> None:
    lab = Lab()
    lab.failing = ["a"]
    origin = play(paying(after=("a",)), lab, parameters={"rows": 1})

    world = again(origin)

    assert ran(world) == ["a", "pay"]


def test_an_unsafe_step_that_a_fork_held_is_held_in_the_next_one() -> None:
    origin = play(paying(), parameters={"rows": 1})
    second = again(origin, parameters={"rows": 2})

    third = again(second, run_id="third", earlier=[second])

    assert third.state.step("pay").status == "held"


def test_an_unsafe_step_in_a_map_runs_for_new_items_alone() -> None:
    body = Graph(
        name="body",
        parameters=(Parameter(name="x", type="json"),),
        steps=(unsafe(call("pay", "double", x=Binding(parameter="x"))),),
        outputs={"output": ref("pay")},
    )

    def declared(items: list[int]) -> Graph:
        step = Step(
            name="each",
            kind="map",
            inputs={"x": Binding(value=items)},
            outputs=(Output(name="output", type="list"),),
            body=Body(graph=body),
            map=Map(over="x"),
        )
        return graph(step)

    origin = play(declared([1, 2]))

    assert ran(again(origin, declared([2, 1, 3]))) == ["pay.2"]
    held = again(origin, declared([1, 5, 3]))
    assert ran(held) == ["pay.2"]
    assert held.runs["runx.each.1.0"].step("pay.1").status == "held"


def test_an_unsafe_step_inside_a_step_that_is_tried_again_does_not_run_twice() -> None:
    body = graph(unsafe(call("pay")), call("b", x=ref("pay")))
    inside = Step(name="inside", kind="workflow", body=Body(graph=body), retry=Retry(max_attempts=2))
    lab = Lab()
    lab.failing = ["b"]
    origin = play(graph(call("a")), lab)

    world = again(origin, graph(inside), lab)

    assert [key.step for key in world.attempts] == ["pay", "b", "b"]


def test_which_runs_count_follows_from_the_ids() -> None:
    origin = play(graph(call("a")))
    created = origin.state.created

    assert lineage(created) == ()
    assert lineage(replace(created, origin=Origin(kind="fork", run_id="o"))) == ("o",)
    assert lineage(replace(created, run_id="r.each.2.0", origin=Origin(kind="fork", run_id="o"))) == (
        "o",
        "r",
    )
    assert lineage(replace(created, run_id="r.each.1.0", origin=Origin(kind="fork", run_id="o"))) == ("o",)


def test_an_index_of_nothing_declines_everything() -> None:
    world = open_world(graph(call("a")), run_id="x", origin=Origin(kind="fork", run_id="gone"))

    answer = recall(world.state, "a", index([]))

    assert answer == Recall(
        step="a", key=key_of(world.state, "a"), reason="there is no such step in run gone"
    )
    world.command(RequestStop())


# -- never twice without a yes ---------------------------------------------------------------------


class Losing(Lab):
    """Steps in `failing` are lost with their executor."""

    def __call__(self, work: Work) -> Mapping[str, Any]:
        if work.function.name in self.failing:
            raise StepRaises(Failure(kind="lost", reason="EXECUTOR_LOST", message="gone"))
        return super().__call__(work)


def test_a_retry_without_names_leaves_unsafe_steps_alone() -> None:
    lab = Lab()
    lab.failing = ["pay", "b"]
    world = play(graph(unsafe(call("pay")), call("b"), on_failure="continue"), lab)
    lab.failing = []

    world.command(RetrySteps())
    world.run()
    assert ran(world) == ["pay", "b", "b"]

    with pytest.raises(Refused, match="has to name each of them"):
        world.command(RetrySteps())
    world.command(RetrySteps(("pay",)))
    world.run()
    assert (world.state.status, ran(world)) == ("completed", ["pay", "b", "b", "pay"])


def test_an_unsafe_step_that_was_held_when_its_run_ended_is_held_when_that_goes_on() -> None:
    lab = Losing()
    lab.failing = ["pay"]
    world = play(graph(unsafe(call("pay")), call("b"), on_failure="continue"), lab)
    world.command(RequestStop())
    assert world.state.status == "stopped"

    world.command(RetrySteps(("pay",)))
    assert world.state.step("pay").status == "waiting"


def test_an_unsafe_handler_does_not_run_again_when_its_run_goes_on() -> None:
    lab = Lab()
    lab.failing = ["a"]
    world = play(graph(call("a"), unsafe(call("bill"), handles="exit")), lab)
    assert ran(world) == ["a", "bill"]

    lab.failing = []
    world.command(RetrySteps(("a",)))
    world.run()
    assert (world.state.status, world.state.step("bill").status) == ("ending", "held")

    world.command(RetrySteps(("bill",)))
    world.run()
    assert (world.state.status, ran(world)) == ("completed", ["a", "bill", "a", "bill"])


def test_an_unsafe_handler_of_a_fork_is_held() -> None:
    origin = play(graph(call("a"), unsafe(call("bill"), handles="exit")))

    world = again(origin)
    assert (world.state.status, world.state.step("bill").status) == ("ending", "held")

    world.command(RetrySteps(("bill",)))
    world.run()
    assert (world.state.status, ran(world)) == ("completed", ["bill"])


def test_a_retry_without_names_leaves_a_step_alone_that_ran_in_the_origin() -> None:
    origin = play(paying(), parameters={"rows": 1})
    world = again(origin, parameters={"rows": 2})
    assert world.state.step("pay").status == "held"

    with pytest.raises(Refused, match="has to name each of them"):
        world.command(RetrySteps())
    world.command(RetrySteps(("pay",)))
    world.run()

    assert (world.state.status, ran(world)) == ("completed", ["a", "pay"])


def test_a_step_that_was_stopped_before_it_asked_still_asks_when_it_is_retried() -> None:
    origin = play(paying(), parameters={"rows": 1})
    world = open_world(
        paying(),
        parameters={"rows": 2},
        run_id="x",
        earlier=[origin],
        origin=Origin(kind="fork", run_id="run"),
    )
    world.command(StopStep("pay"))

    world.command(RetrySteps())
    world.run()

    assert (world.state.step("pay").status, ran(world)) == ("held", ["a"])
