"""Five steps, one after the other: a small run, of which many are started at once."""

import foldline as fl


@fl.step
def fresh(number: int) -> int:
    return number


@fl.step(isolation="shared", effects="pure")
def shared(number: int) -> int:
    return number


@fl.workflow
def many_fresh() -> None:
    number = fresh(0)
    for _ in range(4):
        number = fresh(number)


@fl.workflow
def many_shared() -> None:
    number = shared(0)
    for _ in range(4):
        number = shared(number)
