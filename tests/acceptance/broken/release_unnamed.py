"""Another release without its digest."""
# expect: ILLEGAL_RELEASE fl.released

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    load()
    fl.released("clean")()
