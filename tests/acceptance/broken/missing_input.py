"""A step is called without an argument that it needs."""
# expect: ILLEGAL_CALL step train

import foldline as fl


@fl.step
def train(size: int, rate: float) -> dict:
    return {"size": size, "rate": rate}


@fl.workflow
def broken():
    train(size=3)
