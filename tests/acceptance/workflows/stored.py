"""A large array, a table, a model and a folder pass from step to step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import foldline as fl

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression


@fl.step
def draw(mebibytes: int) -> np.ndarray:
    import numpy as np

    return np.arange(mebibytes * 1024 * 1024 // 8, dtype=np.int64).reshape(-1, 2)


@fl.step
def tabulate(array: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(array[:1000] % 7, columns=["a", "b"])
    table["label"] = (table["a"] + table["b"]) % 2
    return table


@fl.step
def fit(table: pd.DataFrame) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(table[["a", "b"]].to_numpy(), table["label"])


@fl.step
def report(array: np.ndarray, table: pd.DataFrame, model: LogisticRegression) -> dict:
    return {"size": int(array.nbytes), "rows": len(table), "features": int(model.n_features_in_)}


@fl.step
def write(found: dict) -> Path:
    Path("report").mkdir()
    Path("report/size.txt").write_text(str(found["size"]))
    Path("report/rows.txt").write_text(str(found["rows"]))
    return Path("report")


@fl.step
def read(folder: Path) -> list[str]:
    return sorted(f"{path.name}: {path.read_text()}" for path in folder.iterdir())


@fl.workflow(requirements=["numpy", "pandas", "pyarrow", "scikit-learn", "skops"])
def stored(mebibytes: int = 64):
    array = draw(mebibytes)
    table = tabulate(array)
    found = report(array, table, fit(table))
    return {"found": found, "files": read(write(found))}
