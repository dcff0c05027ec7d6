"""A loop whose end does not depend on anything."""
# expect: ILLEGAL_CONDITION the condition

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    fl.repeat(train, until=lambda rate: True, carry="rate", row=1)
