"""Two thousand steps: a hundred chains of twenty."""

import foldline as fl


@fl.step
def fresh(number: int) -> int:
    return number


@fl.step(isolation="shared", effects="pure")
def shared(number: int) -> int:
    return number


@fl.workflow
def big_fresh() -> None:
    for number in range(100):
        value = fresh(number)
        for _ in range(19):
            value = fresh(value)


@fl.workflow
def big_shared() -> None:
    for number in range(100):
        value = shared(number)
        for _ in range(19):
            value = shared(value)
