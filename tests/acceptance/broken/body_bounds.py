"""A sub-workflow is given what its parameter does not allow."""
# expect: ILLEGAL_VALUE step one

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def one(row: int = fl.param(1, ge=1)):
    train(row)


@fl.workflow
def broken():
    one(0)
