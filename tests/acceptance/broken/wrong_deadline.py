"""A deadline that nobody can answer like this."""
# expect: ILLEGAL_POLICY step choose

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
    fl.choose("Which?", ["a", "b"], deadline=60, at_deadline="approve")
