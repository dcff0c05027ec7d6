"""A hundred steps, one after the other, that do nothing."""

import foldline as fl


@fl.step
def nothing(number: int) -> int:
    return number


@fl.workflow
def chain() -> None:
    number = nothing(0)
    for _ in range(99):
        number = nothing(number)
