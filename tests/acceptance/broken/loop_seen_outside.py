"""What a loop's end condition sees is taken outside."""
# expect: FOREIGN_RESULT step train

import foldline as fl


@fl.step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@fl.step
def train(row: int, rate: float = 0.1) -> float:
    return row * rate


@fl.workflow
def broken():
    seen = []

    def until(rate):
        seen.append(rate)
        return rate < 1

    fl.repeat(train.named("loop"), until=until, carry="rate", row=1)
    train(1, seen[0])
