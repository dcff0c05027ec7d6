"""A loop carries a list to a number."""
# expect: TYPE_MISMATCH step load

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    fl.repeat(load, until=lambda rows: rows[0] == 1, carry="rows", rows=3)
