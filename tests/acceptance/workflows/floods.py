"""Many runs that do nothing, and one that never stops talking."""

import foldline as fl


@fl.step(isolation="shared", effects="pure")
def nothing(number: int) -> int:
    return number


@fl.workflow
def tiny(number: int = 0):
    return nothing(number)


@fl.step
def talk() -> int:
    number = 0
    while True:
        print(f"{number} " + "and so on " * 20)
        number += 1


@fl.workflow
def talking():
    return talk()
