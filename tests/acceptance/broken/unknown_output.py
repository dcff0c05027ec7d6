"""An output is taken that the step does not have."""
# expect: UNKNOWN_OUTPUT step split

from typing import NamedTuple

import foldline as fl


class Parts(NamedTuple):
    train: list
    test: list


@fl.step
def split() -> Parts:
    return Parts([1], [2])


@fl.step
def fit(data: list) -> None:
    pass


@fl.workflow
def broken():
    fit(split().trian)
