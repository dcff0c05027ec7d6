"""A step waits for one that does not exist."""
# expect: UNKNOWN_STEP step report

import foldline as fl


@fl.step
def clean() -> None:
    pass


@fl.step
def report() -> None:
    pass


@fl.workflow
def broken():
    clean()
    report.after("claen")()
