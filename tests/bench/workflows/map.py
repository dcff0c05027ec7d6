"""A step for every item of a list that the run itself makes."""

import foldline as fl


@fl.step
def numbers(count: int) -> list:
    return list(range(count))


@fl.step
def fresh(number: int) -> int:
    return number


@fl.step(isolation="shared", effects="pure")
def shared(number: int) -> int:
    return number


@fl.workflow
def map_fresh(count: int = 1000) -> None:
    fl.map(fresh, numbers(count))


@fl.workflow
def map_shared(count: int = 1000) -> None:
    fl.map(shared, numbers(count))
