"""A map of a function that is no step."""
# expect: ILLEGAL_BODY fl.map

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    fl.map(len, load())
