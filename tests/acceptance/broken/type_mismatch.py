"""A table goes where a model is wanted."""
# expect: TYPE_MISMATCH step evaluate

from __future__ import annotations

from typing import TYPE_CHECKING

import foldline as fl

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.svm import SVC


@fl.step
def load() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame()


@fl.step
def evaluate(model: SVC) -> float:
    return 0.0


@fl.workflow
def broken():
    evaluate(load())
