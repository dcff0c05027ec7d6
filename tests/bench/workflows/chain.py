"""A hundred steps, one after the other, that say when they began and ended."""

import time

import foldline as fl


@fl.step
def fresh(before: list) -> list:
    began = time.time()
    return [began, time.time()]


@fl.step(isolation="shared", effects="pure")
def shared(before: list) -> list:
    began = time.time()
    return [began, time.time()]


@fl.workflow
def chain_fresh() -> None:
    times = fresh([])
    for _ in range(99):
        times = fresh(times)


@fl.workflow
def chain_shared() -> None:
    times = shared([])
    for _ in range(99):
        times = shared(times)
