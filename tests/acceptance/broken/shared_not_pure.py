"""A step that may have effects is to share a process with others."""
# expect: SHARED_NOT_PURE step count

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.step(isolation="shared")
def count() -> None:
    pass


@fl.workflow
def broken():
    count()
