"""Five hundred steps that may all run at the same time, and one that waits for them."""

import foldline as fl


@fl.step
def fresh(number: int) -> int:
    return number


@fl.step(isolation="shared", effects="pure")
def shared(number: int) -> int:
    return number


@fl.workflow
def fan_fresh() -> None:
    steps = [fresh(number) for number in range(500)]
    fresh.named("join").after(*steps)(0)


@fl.workflow
def fan_shared() -> None:
    steps = [shared(number) for number in range(500)]
    shared.named("join").after(*steps)(0)
