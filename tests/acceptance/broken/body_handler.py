"""A handler inside the body of a map."""
# expect: ILLEGAL_BODY step one

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def one(row: int):
    train(row)
    with fl.on_exit():
        load()


@fl.workflow
def broken():
    fl.map(one, load())
