"""Python computes with a result that only a run knows."""
# expect: PLACEHOLDER_IN_ARITHMETIC step evaluate

import foldline as fl


@fl.step
def evaluate() -> float:
    return 0.9


@fl.step
def tell(score: float) -> None:
    pass


@fl.workflow
def broken():
    tell(evaluate() * 100)
