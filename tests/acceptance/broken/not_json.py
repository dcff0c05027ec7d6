"""A constant that cannot be written into a release."""
# expect: VALUE_NOT_JSON step train

from datetime import date

import foldline as fl


@fl.step
def train(until: date) -> None:
    pass


@fl.workflow
def broken():
    train(date(2026, 1, 1))
