"""A map over as many numbers as one says, each doubled by a warm process, and their sum."""

import foldline as fl


@fl.step
def numbers(count: int) -> list:
    return list(range(count))


@fl.step(isolation="shared", effects="pure")
def double(number: int) -> int:
    return 2 * number


@fl.step
def total(values: list) -> int:
    return sum(values)


@fl.workflow
def mapped(count: int = fl.param(100, ge=0, title="Items")):
    return {"total": total(fl.map(double, numbers(count)))}
