"""A metric of what is no function."""
# expect: NO_METRICS step train-2

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    found = fl.map(train, load())
    train(1, fl.metric(found, "loss"))
