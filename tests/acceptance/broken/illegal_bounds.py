"""A parameter's bounds exclude everything."""
# expect: ILLEGAL_BOUNDS parameter size

import foldline as fl


@fl.step
def train(size: int) -> dict:
    return {"size": size}


@fl.workflow
def broken(size: int = fl.param(5, ge=10, le=1)):
    train(size)
