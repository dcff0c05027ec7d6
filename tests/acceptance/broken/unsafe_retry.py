"""A step that must not run again is to be retried."""
# expect: UNSAFE_RETRY step pay

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.step(effects="unsafe", retry=fl.Retry(max_attempts=3))
def pay() -> None:
    pass


@fl.workflow
def broken():
    pay()
