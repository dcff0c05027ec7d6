"""A handler inside a condition."""
# expect: ILLEGAL_HANDLER fl.on_failure

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken(rows: int = 1):
    load()
    with fl.when(rows > 1), fl.on_failure():
        load()
