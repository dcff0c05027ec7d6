"""Two hundred steps that may all run at the same time, and one that waits for them."""

import foldline as fl


@fl.step
def nothing(number: int) -> int:
    return number


@fl.step
def join() -> int:
    return 0


@fl.workflow
def fan() -> None:
    steps = [nothing(number) for number in range(200)]
    join().after(*steps)
