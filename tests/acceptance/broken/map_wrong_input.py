"""A map gives an input that its step does not have."""
# expect: ILLEGAL_CALL step train

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    fl.map(train, load(), size=3)
