"""One workflow for each way in which a step can be unusual."""

import os
from typing import Any

import foldline as fl


@fl.step
def raise_() -> int:
    print("about to raise")
    raise ValueError("the data have no column 'label'")


@fl.step
def exit_137() -> int:
    os._exit(137)


@fl.step
def chatter(lines: int) -> int:
    for number in range(lines):
        print(f"line {number}")
    return lines


@fl.step
def large(megabytes: int) -> Any:
    import numpy as np

    return np.arange(megabytes * 1024 * 1024 // 8, dtype=np.int64)


@fl.step
def measure(array: Any) -> int:
    return int(array.nbytes)


@fl.step
def unstorable() -> Any:
    import threading

    return threading.Lock()


@fl.step
def nap(seconds: float) -> int:
    import time

    time.sleep(seconds)
    return 1


@fl.workflow
def raises():
    return {"never": raise_()}


@fl.workflow
def exits():
    return {"never": exit_137()}


@fl.workflow
def chatters(lines: int = 100_000):
    return {"lines": chatter(lines)}


@fl.workflow(requirements=["numpy>=2"])
def returns_much(megabytes: int = 200):
    return {"bytes": measure(large(megabytes))}


@fl.workflow
def returns_a_lock():
    return {"never": unstorable()}


@fl.workflow
def naps(seconds: float = 600.0):
    return {"never": nap(seconds)}
