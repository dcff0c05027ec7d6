"""Steps of a pool of their own: one that lasts until a file is there, and one after it."""

from __future__ import annotations

import time
from pathlib import Path

import foldline as fl

POOL = "spare"


@fl.step(pool=POOL)
def hold(flag: str) -> int:
    print("holding", flush=True)
    while not Path(flag).exists():
        time.sleep(0.05)
    return 1


@fl.step(pool=POOL)
def follow(number: int) -> int:
    return number + 1


@fl.workflow
def held(flag: str):
    return {"number": follow(hold(flag))}
