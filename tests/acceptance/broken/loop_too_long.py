"""A loop with more iterations than there may be."""
# expect: ILLEGAL_POLICY step train

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    fl.repeat(train, until=lambda rate: rate < 1, carry="rate", maximum=20_000, row=1)
