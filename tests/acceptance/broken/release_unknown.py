"""Another release, but no installation that has it."""
# expect: RELEASE_UNKNOWN step clean

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    load()
    fl.released("clean", "sha256:0000000000000000000000000000000000000000000000000000000000000000")()
