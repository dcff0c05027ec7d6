"""A step whose effects matter is to be answered from the cache."""
# expect: UNSAFE_CACHE step pay

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.step(effects="unsafe", cache=True)
def pay() -> None:
    pass


@fl.workflow
def broken():
    pay()
