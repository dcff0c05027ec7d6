"""One workflow for every way a run can go; small, so that tests may hurt the platform meanwhile."""

import time
from pathlib import Path

import foldline as fl


@fl.step
def numbers(count: int) -> list:
    return list(range(count))


@fl.step
def double(x: int) -> int:
    time.sleep(0.02)
    return 2 * x


@fl.step
def total(values: list) -> int:
    return sum(value or 0 for value in values)


@fl.step
def grow(x: int) -> int:
    return x * 3


@fl.step
def left(x: int) -> str:
    return f"left {x}"


@fl.step
def right(x: int) -> str:
    return f"right {x}"


@fl.step
def tell(text: str) -> str:
    return text


@fl.step
def note(status: str) -> str:
    print(f"the run {status}")
    return status


@fl.workflow
def growing(x: int):
    return {"x": grow(x)}


@fl.workflow
def ways(count: int = 250, until: int = 100, border: int = 10):
    found = fl.map(double, numbers(count), parallelism=4)
    summed = total(found)
    grown = fl.repeat(growing, until=lambda out: out["x"] >= until, maximum=10, x=1)
    inside = growing(5)
    with fl.when(summed > border):
        one = left(summed)
    with fl.otherwise():
        other = right(summed)
    said = tell(fl.merge(one, other))
    with fl.on_exit():
        note(fl.outcome.status)
    return {"sum": summed, "grown": grown, "inside": inside, "said": said}


@fl.step
def breaks(flag: str, value: int) -> int:
    if not Path(flag).exists():
        raise ValueError("the flag is missing")
    return value


@fl.step
def plus(x: int, y: int) -> int:
    return x + y


@fl.workflow
def mendable(flag: str, value: int = 1):
    """Fails until the flag is there; what comes before must not run again."""
    base = grow(value)
    return plus(base, breaks(flag, value))


@fl.step
def slow(seconds: float) -> int:
    time.sleep(seconds)
    return 1


@fl.workflow
def sleepy(seconds: float = 60.0):
    return {"slow": slow(seconds), "quick": grow(1)}


@fl.workflow
def asking(rows: int = fl.param(delayed=True)):
    """Waits for parameters, a person's yes, a choice and an event."""
    read = grow(rows)
    decision = fl.approve("go on?", rows=read)
    kind = fl.choose("which?", ["small", "large"])
    arrived = fl.wait_for_event("labels-ready")
    return {
        "text": tell(kind.choice),
        "rows": read,
        "by": tell.named("who")(decision.by),
        "event": arrived.data,
    }


@fl.step(cache=True)
def costly(x: int) -> int:
    return x * 7


@fl.workflow
def cached(x: int = 1):
    return costly(x)


@fl.step
def resumable(flag: str) -> int:
    """Goes on from its checkpoint in the second attempt."""
    done = fl.last_checkpoint() or 0
    fl.checkpoint(done + 1)
    while not Path(flag).exists() and done == 0:
        time.sleep(0.05)
    return done


@fl.workflow
def resuming(flag: str):
    return resumable(flag)
