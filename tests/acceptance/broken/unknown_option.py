"""An option that steps do not have."""
# expect: ILLEGAL_POLICY @fl.step

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.step(run_timout=60)
def slow() -> None:
    pass


@fl.workflow
def broken():
    slow()
