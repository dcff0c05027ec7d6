"""A workflow of each form, for local runs."""

from typing import NamedTuple

import foldline as fl


class Settings(NamedTuple):
    rows: int
    note: str = "none"


@fl.step
def numbers(count: int) -> list:
    return list(range(count))


@fl.step
def double(x: int) -> int:
    return x * 2


@fl.step
def total(values: list) -> int:
    return sum(values)


@fl.step
def grow(size: int) -> int:
    return size * 3


@fl.step
def describe(value: object) -> str:
    return f"it is {value}"


@fl.step(retry=fl.Retry(max_attempts=2))
def resume() -> int:
    left = fl.last_checkpoint()
    if left is None:
        fl.checkpoint(41)
        raise RuntimeError("power cut")
    return left + 1


@fl.workflow
def mapping(count: int = fl.param(5)):
    return total(fl.map(double, numbers(count)))


@fl.workflow
def looping():
    return fl.repeat(grow, until=lambda size: size > 50, maximum=9, carry="size", size=1)


@fl.workflow
def nested():
    return mapping(3)


@fl.workflow
def approving():
    answer = fl.approve("good enough?", name="gate")
    return describe(answer.approved)


@fl.workflow
def choosing():
    return describe(fl.choose("which?", ["small", "large"], name="size").choice)


@fl.workflow
def filling():
    return describe(fl.ask("how many?", Settings, name="settings").rows)


@fl.workflow
def hearing():
    return describe(fl.wait_for_event("labels", name="labels").data)


@fl.workflow
def delaying(rows: int = fl.param(delayed=True)):
    return describe(rows)


@fl.workflow
def resuming():
    return resume()
