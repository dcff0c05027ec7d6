"""What may be begun ahead of the ledger, and what the ledger makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from tests.unit.domain import graphs
from tests.unit.domain.graphs import RUN, Game, artifact, condition, graph, guarded, output, report

from foldline.domain import ahead
from foldline.domain.assignments import work_for
from foldline.domain.commands import ReceiveReport, RequestStop, ScheduleSteps
from foldline.domain.decision import Refused
from foldline.domain.errors import Kind
from foldline.domain.evolve import fold
from foldline.domain.run_events import AttemptSucceeded, StepScheduled
from foldline.domain.spec import Binding, MetricRef, Resources, Step, Timeouts
from foldline.domain.work import AttemptKey, Input, Report, Work


def function(name: str, *needs: str, effects: str = "pure", **changes: Any) -> Step:
    return graphs.function(name, *needs, effects=effects, **changes)


def key(step: str, attempt: int = 1) -> AttemptKey:
    return AttemptKey(run_id=RUN, step=step, attempt=attempt)


def order(game: Game, step: str) -> Work:
    return ahead.chain(game.state, work_for(game.state, step))


def names(work: Work) -> list[str]:
    return [one.key.step for one in work.ahead]


def done(step: str, goes_on: str = "", after: str = "", session: str = "ex") -> Report:
    return replace(
        report(step, 1, "succeeded", session=session, outputs={"output": artifact(step)}),
        goes_on=key(goes_on) if goes_on else UNSET,
        after=key(after) if after else UNSET,
    )


def begun(*steps: Step) -> Game:
    """A run of which everything that is ready was given to an executor."""
    game = Game(graph(*steps))
    game.schedule()
    return game


# -- what an order goes on with ---------------------------------------------------------------------


def test_an_order_goes_on_with_the_steps_that_wait_for_it_alone() -> None:
    game = begun(function("a"), function("b", "a"), function("c", "b"), function("d", "b", "c"))

    work = order(game, "a")

    assert names(work) == ["b", "c", "d"]
    assert work.ahead[0].inputs == {"from_a": Input(output=output("a").output)}
    assert work.ahead[2].key == key("d")
    assert all(not one.ahead for one in work.ahead)


def test_what_is_there_already_is_given_as_it_is() -> None:
    game = begun(function("a"), function("other"), function("b", "a", "other"))
    game.succeed("other", 7)

    (following,) = order(game, "a").ahead

    assert following.inputs["from_other"] == Input(artifact=artifact(7))


@pytest.mark.parametrize(
    "step",
    [
        function("b", "a", effects="unsafe"),
        function("b", "a", effects="idempotent"),
        function("b", "a", "elsewhere"),
        function("b", "a", max_active=1),
        function("b", "a", isolation="shared"),
        function("b", "a", resources=Resources(memory_bytes=1)),
        function("b", "a", ranks=2),
        replace(function("b", "a"), inputs={"x": output("a", "path")}),
        replace(function("b", "a"), inputs={"x": Binding(metric=MetricRef(step="a", name="loss"))}),
        replace(function("b", "a"), skip_when=condition("x", output("a"), "==", 1).condition),
    ],
    ids=[
        "unsafe",
        "idempotent",
        "another",
        "limited",
        "isolation",
        "resources",
        "ranks",
        "path",
        "metric",
        "skip",
    ],
)
def test_nothing_goes_on_where_more_than_the_success_counts(step: Step) -> None:
    game = begun(function("a"), function("elsewhere"), step)

    assert names(order(game, "a")) == []


def test_nothing_goes_on_behind_a_condition() -> None:
    game = begun(
        function("a"), condition("is", output("a"), "==", 1), guarded(function("b"), "is", branch=True)
    )

    assert names(order(game, "a")) == []


def test_nothing_goes_on_where_equal_attempts_are_looked_for() -> None:
    assert names(order(begun(function("a"), function("b", "a", cache=True)), "a")) == []


def test_an_order_goes_on_only_so_far() -> None:
    steps = [function("s0"), *(function(f"s{n}", f"s{n - 1}") for n in range(1, 50))]

    assert len(order(begun(*steps), "s0").ahead) == ahead.MOST_AHEAD


def test_time_limits_go_along() -> None:
    game = begun(function("a"), function("b", "a", timeouts=Timeouts(run_seconds=3)))

    assert order(game, "a").ahead[0].timeouts.run_seconds == 3


# -- what the ledger makes of it --------------------------------------------------------------------


def test_what_was_gone_on_with_is_scheduled_with_the_success_that_it_stands_on() -> None:
    game = begun(function("a"), function("b", "a"), function("c", "b"))

    assert game.play(ReceiveReport(done("a", goes_on="b"))) == ["AttemptSucceeded", "StepScheduled"]
    assert game.state.step("b").attempts[-1].executor == "ex"
    assert game.play(ReceiveReport(done("b", after="a"))) == ["AttemptSucceeded"]
    assert game.status("c") == "waiting"


def test_a_report_that_comes_before_the_one_it_stands_on_is_to_come_again() -> None:
    game = begun(function("a"), function("b", "a"))

    with pytest.raises(Refused) as refusal:
        game.play(ReceiveReport(done("b", after="a")))

    assert refusal.value.kind is Kind.UNAVAILABLE


def test_a_stopped_run_does_not_go_on() -> None:
    game = begun(function("a"), function("b", "a"))
    game.play(RequestStop("enough"))

    game.play(ReceiveReport(done("a", goes_on="b")))

    assert game.status("b") != "scheduled"
    assert game.play(ReceiveReport(done("b", after="a"))) == []


def test_what_stands_on_an_attempt_that_was_given_up_counts_for_nothing() -> None:
    game = begun(function("a"), function("b", "a"))
    game.fail("a")

    assert game.play(ReceiveReport(done("b", after="a"))) == []


def test_what_somebody_else_has_by_now_stays_there() -> None:
    game = begun(function("a"), function("b", "a"))
    game.play(ReceiveReport(done("a")))
    game.play(ScheduleSteps((("b", "other"),)))

    assert game.play(ReceiveReport(done("b", after="a"))) == ["ReportIgnored"]


@given(length=st.integers(2, 8), gaps=st.sets(st.integers(0, 7)), repeats=st.integers(1, 3))
def test_a_chain_ends_as_it_does_one_by_one(length: int, gaps: set[int], repeats: int) -> None:
    """Whatever the executor goes on with, and however often each report comes."""
    steps = [function("s0"), *(function(f"s{n}", f"s{n - 1}") for n in range(1, length))]
    quick, slow = begun(*steps), begun(*steps)
    for place in range(length):
        goes_on = place + 1 < length and place not in gaps
        after = place > 0 and place - 1 not in gaps
        told = done(
            f"s{place}",
            goes_on=f"s{place + 1}" if goes_on else "",
            after=f"s{place - 1}" if after else "",
        )
        for _ in range(repeats):
            quick.play(ReceiveReport(told))
        quick.schedule()
        slow.play(ReceiveReport(done(f"s{place}")))
        slow.schedule()

    assert fold(quick.history) == quick.state
    assert quick.state.status == slow.state.status == "completed"
    assert [type(event) for event, _ in quick.history] == [type(event) for event, _ in slow.history]
    scheduled = [event for event, _ in quick.history if isinstance(event, StepScheduled)]
    succeeded = [event for event, _ in quick.history if isinstance(event, AttemptSucceeded)]
    assert len(scheduled) == len(succeeded) == length
