"""A scene of a step that is not used."""
# expect: UNKNOWN_STEP scene short

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow(scenes={"short": [train]})
def broken():
    load()
