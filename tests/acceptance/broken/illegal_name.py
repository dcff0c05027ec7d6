"""A name has a space."""
# expect: ILLEGAL_NAME step 'two words'

import foldline as fl


@fl.step
def train(size: int) -> dict:
    return {"size": size}


@fl.workflow
def broken():
    train.named("two words")(1)
