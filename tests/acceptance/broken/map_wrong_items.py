"""Items of another type than the step takes."""
# expect: TYPE_MISMATCH step train

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    fl.map(train, ["a", "b"])
