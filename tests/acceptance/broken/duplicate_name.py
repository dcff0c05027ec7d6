"""Two uses of a step have the same name."""
# expect: DUPLICATE_NAME step big

import foldline as fl


@fl.step
def train(size: int) -> dict:
    return {"size": size}


@fl.workflow
def broken():
    train.named("big")(1)
    train.named("big")(2)
