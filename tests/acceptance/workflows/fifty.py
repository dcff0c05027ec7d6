"""Fifty short steps: chains side by side, long enough to be hit in the middle."""

import time

import foldline as fl


@fl.step
def tick(number: int, seconds: float) -> int:
    print(f"tick {number}")
    time.sleep(seconds)
    return number + 1


@fl.workflow(title="Fifty steps")
def fifty(seconds: float = fl.param(0.2, ge=0, title="Seconds of each step")):
    ends = {}
    for chain in range(5):
        value = chain * 100
        for _ in range(10):
            value = tick(value, seconds)
        ends[f"chain_{chain}"] = value
    return ends
