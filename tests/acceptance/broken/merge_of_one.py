"""A merge with nothing to choose from."""
# expect: ILLEGAL_MERGE fl.merge

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    train(fl.merge(load())[0])
