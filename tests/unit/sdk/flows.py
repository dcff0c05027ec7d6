"""Steps, a workflow and questions about them, for the tests of control flow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import foldline as fl
from foldline.domain.spec import Binding, Graph, OutputRef
from foldline.sdk import graphs
from foldline.sdk.workflows import Workflow

if TYPE_CHECKING:
    import pandas as pd


class Parts(NamedTuple):
    left: list[int]
    right: int


class Loss(TypedDict):
    weights: list[float]
    loss: float


@fl.step
def numbers(count: int = 3) -> list[int]:
    return [*range(count)]


@fl.step
def double(x: int, by: int = 2) -> int:
    return x * by


@fl.step
def total(values: list[int]) -> int:
    return sum(values)


@fl.step
def cut(x: int) -> Parts:
    return Parts([x], x)


@fl.step
def improve(weights: list[float], rate: float = 0.5) -> Loss:
    return {"weights": weights, "loss": rate}


@fl.step
def halve(x: float) -> float:
    return x / 2


@fl.step
def tell(**facts: object) -> None:
    """Nothing."""


@fl.step
def train(data: int) -> dict[str, float]:
    return {}


@fl.step
def load() -> pd.DataFrame:
    raise NotImplementedError


@fl.step
def fit(table: pd.DataFrame, size: int) -> float:
    return 1.0


@fl.workflow
def twice(x: int, by: int = fl.param(2, ge=1)) -> int:
    return double(double(x, by), by)


def graph_of(workflow: Workflow[..., Any]) -> Graph:
    return graphs.check(workflow).require()


def rules_of(workflow: Workflow[..., Any]) -> list[str]:
    return [problem.rule for problem in graphs.check(workflow).problems]


def refusal_of(body: Callable[[], object]) -> str:
    """The one rule that a workflow with this body breaks, at a line of these tests."""

    def function() -> None:
        body()

    problems = graphs.check(Workflow(function)).problems
    assert all(Path(one.site.file).parent == Path(__file__).parent and one.site.line for one in problems)
    (rule,) = {problem.rule for problem in problems}
    return rule


def ref(step: str, name: str = "output", *path: str) -> Binding:
    return Binding(output=OutputRef(step=step, name=name, path=path))
