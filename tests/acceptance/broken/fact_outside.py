"""How the run ended, asked before it has."""
# expect: ILLEGAL_FACT step load

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    load.skip_when(fl.outcome.status == "failed")()
