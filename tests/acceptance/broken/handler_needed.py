"""The main part takes what a handler gives."""
# expect: HANDLER_NEEDED step train

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    with fl.on_exit():
        rows = load()
    train(rows[0])
