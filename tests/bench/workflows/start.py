"""One step that does nothing."""

import foldline as fl


@fl.step
def nothing() -> int:
    return 0


@fl.workflow
def start() -> None:
    nothing()
