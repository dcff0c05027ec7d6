"""A condition compares an array."""
# expect: NOT_COMPARABLE step when

from __future__ import annotations

from typing import TYPE_CHECKING

import foldline as fl

if TYPE_CHECKING:
    import numpy as np


@fl.step
def scores() -> np.ndarray:
    import numpy as np

    return np.zeros(3)


@fl.step
def accept() -> None:
    pass


@fl.workflow
def broken():
    with fl.when(scores() > 0.5):
        accept()
