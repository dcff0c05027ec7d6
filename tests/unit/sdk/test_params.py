"""Parameters from a signature."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET

import foldline as fl
from foldline.domain.spec import Parameter
from foldline.sdk import graphs


@fl.step
def use(value: object) -> None:
    pass


def test_every_kind_of_parameter_is_taken_from_the_signature() -> None:
    @fl.workflow
    def flow(  # type: ignore[no-untyped-def]  # the default of `guessed` tells its type
        required: int,
        rate: float = fl.param(1, ge=0, le=10, title="Rate", help="How fast"),
        mode: Literal["fast", "slow"] = "fast",
        names: list[str] = fl.param(default=("a", "b")),  # noqa: B008
        guessed=True,
        size: int = fl.param(2, choices=[1, 2, 4]),
    ) -> None:
        use(required)

    parameters = graphs.check(flow).require().parameters

    assert parameters == (
        Parameter(name="required", type="int", default=UNSET),
        Parameter(
            name="rate",
            type="float",
            title="Rate",
            description="How fast",
            default=1.0,
            minimum=0.0,
            maximum=10.0,
        ),
        Parameter(name="mode", type="str", default="fast", choices=("fast", "slow")),
        Parameter(name="names", type="json", default=["a", "b"]),
        Parameter(name="guessed", type="bool", default=True),
        Parameter(name="size", type="int", default=2, choices=(1, 2, 4)),
    )


def test_a_parameter_of_a_type_that_no_form_can_ask_for_is_a_problem() -> None:
    @fl.workflow
    def flow(data: bytes, other) -> None:  # type: ignore[no-untyped-def]
        use(data)

    problems = graphs.check(flow).problems

    assert [(problem.rule, problem.where) for problem in problems] == [
        ("PARAMETER_TYPE", "parameter data"),
        ("PARAMETER_TYPE", "parameter other"),
    ]


def test_a_default_outside_of_the_choices_is_a_problem() -> None:
    @fl.workflow
    def flow(mode: Literal["a", "b"] = "c") -> None:  # type: ignore[assignment]
        use(mode)

    assert [problem.rule for problem in graphs.check(flow).problems] == ["NOT_A_CHOICE"]


def test_stars_are_no_parameters() -> None:
    @fl.workflow
    def flow(*names: str) -> None:
        use(names)

    assert [problem.rule for problem in graphs.check(flow).problems] == ["ILLEGAL_SIGNATURE"]
