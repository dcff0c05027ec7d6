"""A form with a field that nobody can fill."""
# expect: PARAMETER_TYPE field rows

from typing import NamedTuple

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


class Form(NamedTuple):
    rows: bytes


@fl.workflow
def broken():
    load()
    fl.ask("How many?", Form)
