"""A plain `if` looks at a result that only a run knows."""
# expect: PLACEHOLDER_AS_BOOL the comparison with '>'

import foldline as fl


@fl.step
def evaluate() -> float:
    return 0.9


@fl.step
def accept() -> None:
    pass


@fl.workflow
def broken():
    if evaluate() > 0.5:
        accept()
