"""Every form of control flow, played to its end in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foldline.domain.commands import (
    Answer,
    AnswerWait,
    DeliverEvent,
    ProvideParameters,
    RequestStop,
    RetrySteps,
)
from foldline.domain.failures import Failure
from foldline.domain.spec import (
    Binding,
    Body,
    Expression,
    Function,
    Graph,
    Guard,
    Map,
    Merge,
    Output,
    OutputRef,
    Parameter,
    Repeat,
    Retry,
    Step,
    Timeouts,
    Wait,
)
from foldline.domain.work import Work
from foldline.testing.world import StepRaises, World


def ref(step: str, name: str = "output", *path: str) -> Binding:
    return Binding(output=OutputRef(step=step, name=name, path=path))


def call(name: str, function: str = "", /, **inputs: Any) -> Step:
    bindings = {
        key: value if isinstance(value, Binding) else Binding(value=value) for key, value in inputs.items()
    }
    return Step(
        name=name,
        kind="function",
        function=Function(module="m", name=function or name),
        inputs=bindings,
        outputs=(Output(name="output"),),
    )


def double(parameter: str = "x", **changes: Any) -> Graph:
    """A body: output = 2 * x."""
    return Graph(
        name="body",
        parameters=(Parameter(name=parameter, type="json"),),
        steps=(call("double", "double", x=Binding(parameter=parameter)),),
        outputs={"output": ref("double")},
        **changes,
    )


def graph(*steps: Step, **changes: Any) -> Graph:
    return Graph(name="example", steps=steps, **changes)


class Lab:
    """Functions by name; which calls fail is the test's to say."""

    def __init__(self, **given: Any) -> None:
        self.world: World
        self.given = given
        self.calls: list[tuple[str, Any]] = []
        self.failing: list[Any] = []

    def __call__(self, work: Work) -> Mapping[str, Any]:
        values = {name: self.world.value(one) for name, one in work.inputs.items()}
        self.calls.append((work.function.name, values))
        if work.function.name in self.failing or values.get("x") in self.failing:
            raise StepRaises
        match work.function.name:
            case "double":
                return {"output": values["x"] * 2}
            case "total":
                return {"output": sum(value or 0 for value in values["x"])}
            case name:
                return {"output": self.given.get(name, name)}


def play(declared: Graph, lab: Lab | None = None, **options: Any) -> World:
    lab = lab or Lab()

    def behave(work: Work) -> Mapping[str, Any]:
        return lab(work)

    world = World.__new__(World)
    lab.world = world
    world.__init__(declared, behave=behave, **options)  # type: ignore[misc]  # the lab needs it before it runs
    world.run()
    return world


def map_step(over: Binding, *, tolerated: int = 0, parallelism: int = 0) -> Step:
    return Step(
        name="each",
        kind="map",
        inputs={"x": over},
        outputs=(Output(name="output", type="list"),),
        body=Body(graph=double()),
        map=Map(over="x", tolerated=tolerated, parallelism=parallelism),
    )


def test_a_map_runs_its_body_for_every_item_and_gathers_what_they_give() -> None:
    declared = graph(
        call("numbers"), map_step(ref("numbers")), call("total", x=ref("each")), outputs={"sum": ref("total")}
    )

    world = play(declared, Lab(numbers=[1, 2, 3]))

    assert world.state.status == "completed"
    assert world.value(world.state.outputs["sum"]) == 12
    assert world.value(world.state.step("each").outputs["output"]) == [2, 4, 6]


def test_a_map_over_a_thousand_items_has_ten_children_and_a_slim_parent() -> None:
    declared = graph(call("numbers"), map_step(ref("numbers")), call("total", x=ref("each")))

    world = play(declared, Lab(numbers=list(range(1000))))

    assert world.state.status == "completed"
    assert world.state.step("total").outputs["output"].value == 999_000
    assert len(world.runs) == 11
    assert len(world.histories["run"]) < 40


def test_a_map_over_nothing_gives_nothing() -> None:
    world = play(graph(map_step(Binding(value=[])), call("total", x=ref("each"))))

    assert world.state.status == "completed"
    assert world.value(world.state.step("each").outputs["output"]) == []


def test_a_map_tolerates_as_many_failures_as_it_says() -> None:
    lab = Lab()
    lab.failing = [2]

    world = play(graph(map_step(Binding(value=[1, 2, 3]), tolerated=1)), lab)

    assert world.state.status == "completed"
    assert world.value(world.state.step("each").outputs["output"]) == [2, None, 6]


def test_a_map_with_one_failure_too_many_fails() -> None:
    lab = Lab()
    lab.failing = [2, 3]

    world = play(graph(map_step(Binding(value=[1, 2, 3, 4]), tolerated=1)), lab)

    assert world.state.status == "failed"
    assert world.state.failure is not None
    assert "2 of 4 items failed, 1 are tolerated" in world.state.failure.message


def test_a_failed_map_that_is_retried_goes_on_from_what_is_missing() -> None:
    lab = Lab()
    lab.failing = [2]
    world = play(graph(map_step(Binding(value=[1, 2, 3]))), lab)
    assert world.state.status == "failed"

    lab.failing = []
    world.command(RetrySteps())

    assert world.state.status == "running"
    assert world.state.step("each").children is not None


def repeat_step(until: Any, maximum: int = 10, at_maximum: str = "") -> Step:
    condition = Expression(op=">=", left=ref("", "output"), right=Binding(value=until))
    return Step(
        name="loop",
        kind="repeat",
        inputs={"x": Binding(value=1)},
        outputs=(Output(name="output"),),
        body=Body(graph=double()),
        repeat=Repeat(until=condition, max_iterations=maximum, carry={"x": "output"}, at_maximum=at_maximum),
    )


def test_a_loop_carries_values_until_its_condition_holds() -> None:
    world = play(graph(repeat_step(100)))

    assert world.state.step("loop").outputs["output"].value == 128
    assert len(world.attempts) == 7


def test_a_loop_that_never_ends_fails_at_its_maximum() -> None:
    world = play(graph(repeat_step(10_000, maximum=3)))

    assert world.state.failure is not None
    assert world.state.failure.reason == "NOT_REACHED"
    assert "8 >= 10000" in world.state.failure.message


def test_a_loop_may_be_content_with_its_maximum() -> None:
    world = play(graph(repeat_step(10_000, maximum=3, at_maximum="complete")))

    assert world.state.step("loop").outputs["output"].value == 8


def test_a_workflow_inside_a_workflow_takes_and_gives_values() -> None:
    step = Step(
        name="inside",
        kind="workflow",
        inputs={"x": Binding(value=21)},
        outputs=(Output(name="output"),),
        body=Body(graph=double()),
    )

    world = play(graph(step, outputs={"answer": ref("inside")}))

    assert world.state.outputs["answer"].value == 42
    assert set(world.runs) == {"run", "run.inside.1.0"}


def test_what_fails_inside_a_workflow_fails_it_with_the_reason() -> None:
    lab = Lab()
    lab.failing = [21]
    step = Step(name="inside", kind="workflow", inputs={"x": Binding(value=21)}, body=Body(graph=double()))

    world = play(graph(step), lab)

    assert world.state.failure is not None
    assert world.state.failure.reason == "CHILD_FAILED"
    assert "run run.inside.1.0 inside it failed at double" in world.state.failure.message


def merge_of(*steps: str) -> Binding:
    return Binding(merge=Merge(outputs=tuple(OutputRef(step=step, name="output") for step in steps)))


def branches(value: int, **options: Any) -> World:
    condition = Step(
        name="big",
        kind="condition",
        condition=Expression(op=">", left=ref("number"), right=Binding(value=10)),
    )
    left = Step(**{**_fields(call("left")), "guards": (Guard(step="big", branch=True),)})
    right = Step(**{**_fields(call("right")), "guards": (Guard(step="big", branch=False),)})
    merge = Binding(
        merge=Merge(outputs=(OutputRef(step="left", name="output"), OutputRef(step="right", name="output")))
    )
    declared = graph(call("number"), condition, left, right, call("after", x=merge), **options)
    return play(declared, Lab(number=value))


def _fields(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in step.__struct_fields__}


def test_a_merge_takes_the_branch_that_ran() -> None:
    for value, expected in ((11, "left"), (9, "right")):
        world = branches(value)
        assert world.state.status == "completed"
        assert world.state.step("after").status == "completed"
        assert world.attempts[-1].step == "after"
        assert world.state.step(expected).status == "completed"


def test_a_merge_of_two_that_both_ran_is_an_error_that_names_them() -> None:
    merge = Binding(
        merge=Merge(outputs=(OutputRef(step="a", name="output"), OutputRef(step="b", name="output")))
    )

    world = play(graph(call("a"), call("b"), call("c", x=merge)))

    assert world.state.failure is not None
    assert world.state.failure.reason == "MERGE_OF_SEVERAL"
    assert "a.output, b.output" in world.state.failure.message


def test_a_skip_condition_skips_the_step_and_what_needs_it() -> None:
    skipped = Step(
        **{
            **_fields(call("b", x=ref("a"))),
            "skip_when": Expression(op="==", left=ref("a"), right=Binding(value="a")),
        }
    )

    world = play(graph(call("a"), skipped, call("c", x=ref("b"))))

    assert world.state.status == "completed"
    assert [step.status for step in world.state.steps] == ["completed", "skipped", "skipped"]
    assert world.state.step("b").note == 'condition: "a" == "a"'


def test_handlers_run_when_the_main_part_has_ended() -> None:
    failing = Step(**{**_fields(call("repair", why=Binding(fact="message"))), "handles": "failure"})
    leaving = Step(**{**_fields(call("report", how=Binding(fact="status"))), "handles": "exit"})
    for fails in (True, False):
        lab = Lab()
        lab.failing = ["a"] if fails else []
        world = play(graph(call("a"), failing, leaving), lab)
        called = [name for name, _ in lab.calls]
        assert called == (["a", "repair", "report"] if fails else ["a", "report"])
        assert world.state.status == ("failed" if fails else "completed")
        assert lab.calls[-1][1]["how"] == world.state.status


def wait_step(**changes: Any) -> Step:
    wait = Wait(**{"kind": "approve", "prompt": "good enough?", **changes})
    names = {"approve": "approved", "choose": "choice", "event": "data", "values": "rows"}
    return Step(name="ask", kind="wait", wait=wait, outputs=(Output(name=names[wait.kind]),))


def test_an_approval_lets_the_run_go_on() -> None:
    world = play(graph(wait_step(), call("next", x=ref("ask", "approved"))))
    assert world.state.step("ask").status == "awaiting"

    world.command(AnswerWait("ask", Answer(approved=True, comment="fine"), by="ada"))
    world.run()

    assert world.state.status == "completed"


def test_a_rejection_fails_the_run_and_says_who_said_no() -> None:
    world = play(graph(wait_step()))

    world.command(AnswerWait("ask", Answer(approved=False, comment="too bad"), by="ada"))

    assert world.state.failure is not None
    assert world.state.failure.message == "ada said no: too bad"


def test_a_deadline_does_what_the_step_says() -> None:
    for action, status in (("fail", "failed"), ("approve", "completed"), ("skip", "completed")):
        world = play(graph(wait_step(deadline_seconds=60, at_deadline=action)))
        assert world.state.status == status, action


def test_an_event_from_outside_ends_a_wait() -> None:
    world = play(graph(wait_step(kind="event", event="labels-ready"), call("next", x=ref("ask", "data"))))

    world.command(DeliverEvent("labels-ready", {"count": 3}))
    world.run()

    assert world.state.status == "completed"
    assert world.state.step("ask").outputs["data"].value == {"count": 3}


def test_delayed_parameters_are_asked_for_together_at_the_step_that_needs_them() -> None:
    parameters = (
        Parameter(name="rows", type="int", delayed=True),
        Parameter(name="name", type="str", delayed=True),
    )
    step = call("b", rows=Binding(parameter="rows"), name=Binding(parameter="name"), x=ref("a"))
    lab = Lab()
    world = play(graph(call("a"), step, parameters=parameters), lab)
    assert world.state.step("b").status == "asking"
    assert world.state.step("b").asked == ("rows", "name")

    world.command(ProvideParameters({"rows": 3, "name": "x"}))
    world.run()

    assert world.state.status == "completed"
    assert lab.calls[-1][1] == {"rows": 3, "name": "x", "x": "a"}


def test_a_failed_step_is_retried_in_the_same_run_and_nothing_before_it_again() -> None:
    lab = Lab()
    lab.failing = ["b"]
    world = play(graph(call("a"), call("b", x=ref("a")), call("c", x=ref("b"))), lab)
    assert world.state.status == "failed"

    lab.failing = []
    world.command(RetrySteps(("b",)))
    world.run()

    assert world.state.status == "completed"
    assert [name for name, _ in lab.calls] == ["a", "b", "b", "c"]
    assert len(world.state.step("b").attempts) == 2


def test_a_workflow_inside_a_workflow_is_tried_again_as_its_policy_says() -> None:
    lab = Lab()
    lab.failing = [21]
    step = Step(
        name="inside",
        kind="workflow",
        inputs={"x": Binding(value=21)},
        body=Body(graph=double()),
        retry=Retry(max_attempts=2),
    )

    world = play(graph(step), lab)

    assert world.state.status == "failed"
    assert set(world.runs) == {"run", "run.inside.1.0", "run.inside.2.0"}


def test_an_exhausted_step_may_be_held_instead_of_failed() -> None:
    lab = Lab()
    lab.failing = ["a"]
    step = Step(**{**_fields(call("a")), "retry": Retry(max_attempts=2, on_exhausted="pause")})
    world = play(graph(step), lab)
    assert (world.state.status, world.state.step("a").status) == ("running", "held")

    lab.failing = []
    world.command(RetrySteps(("a",)))
    world.run()

    assert world.state.status == "completed"


def test_an_unsafe_step_that_was_lost_is_held() -> None:
    step = Step(**{**_fields(call("pay")), "effects": "unsafe"})

    class Lost(Lab):
        def __call__(self, work: Work) -> Mapping[str, Any]:
            raise StepRaises(Failure(kind="infrastructure", reason="DISK_FAILED", message="disk"))

    world = play(graph(step), Lost())

    assert world.state.step("pay").status == "held"


def test_a_step_that_is_not_started_in_time_fails() -> None:
    step = Step(**{**_fields(call("a")), "timeouts": Timeouts(queue_seconds=5)})
    world = play(graph(step))
    assert world.state.status == "completed"

    late = World(graph(step), behave=Lab())
    late.clock.advance(6)
    from foldline.domain.commands import FireTimers

    late.command(FireTimers())
    assert late.state.failure is not None
    assert late.state.failure.reason == "NOT_STARTED_IN_TIME"


def test_other_branches_go_on_where_the_workflow_says_so() -> None:
    lab = Lab()
    lab.failing = ["a"]

    world = play(graph(call("a"), call("b", x=ref("a")), call("c"), on_failure="continue"), lab)

    assert world.state.status == "failed"
    assert [step.status for step in world.state.steps] == ["failed", "skipped", "completed"]


def test_stopping_a_run_stops_the_runs_inside_it() -> None:
    world = World(graph(map_step(Binding(value=[1, 2, 3]))), behave=Lab())

    world.command(RequestStop())

    assert world.state.status == "stopped"
    assert {state.status for state in world.runs.values()} == {"stopped"}
