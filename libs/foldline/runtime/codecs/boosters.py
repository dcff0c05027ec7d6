"""LightGBM and XGBoost in their own text formats, which every later version of them reads.

Of LightGBM the booster itself; of XGBoost also its scikit-learn classes: one of three fixed words in the file
says which of them it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from foldline.runtime.codecs import previews
from foldline.runtime.codecs.port import NotStorable, Written, is_a, reader, type_name

_SKLEARN = {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}


class LightGBMCodec:
    encoding = "lightgbm"
    type = "model"

    def takes(self, value: object) -> bool:
        return is_a(value, "lightgbm", "Booster", "LGBMModel")

    def write(self, value: Any, target: Path) -> Written:
        if is_a(value, "lightgbm", "LGBMModel"):
            raise NotStorable("LightGBM's format keeps the booster alone; return model.booster_")
        target.write_text(value.model_to_string(), encoding="utf-8")
        facts = {"class": type_name(value), "features": value.num_feature(), "trees": value.num_trees()}
        return Written(
            facts,
            f"{target.name}.txt",
            lambda: {
                "kind": "model",
                "library": "lightgbm",
                **facts,
                "feature_names": previews.cells(value.feature_name()),
                "parameters": previews.named(value.params),
            },
        )

    def read(self, path: Path, filename: str) -> object:
        del filename
        return reader("lightgbm", "lightgbm").Booster(model_str=path.read_text(encoding="utf-8"))


class XGBoostCodec:
    encoding = "xgboost"
    type = "model"

    def takes(self, value: object) -> bool:
        return is_a(value, "xgboost", "Booster", "XGBModel")

    def write(self, value: Any, target: Path) -> Written:
        booster = value
        if is_a(value, "xgboost", "XGBModel"):
            if type(value).__name__ not in _SKLEARN.values() or type(value).__module__ != "xgboost.sklearn":
                raise NotStorable(f"of {type_name(value)} only the booster can be kept; return get_booster()")
            booster = value.get_booster()
        # The library chooses the format by the suffix.
        named = target.with_name(f"{target.name}.json")
        value.save_model(named)
        named.rename(target)
        facts = {"class": type_name(value), "features": booster.num_features()}
        return Written(
            facts,
            f"{target.name}.json",
            lambda: {
                "kind": "model",
                "library": "xgboost",
                **facts,
                "trees": booster.num_boosted_rounds(),
                "feature_names": previews.cells(booster.feature_names or []),
                "parameters": previews.named(value.get_params() if booster is not value else {}),
            },
        )

    def read(self, path: Path, filename: str) -> object:
        del filename
        xgboost = reader("xgboost", "xgboost")
        content = bytearray(path.read_bytes())
        attributes = json.loads(content)["learner"].get("attributes", {})
        said = json.loads(attributes["scikit_learn"]) if "scikit_learn" in attributes else {}
        name = _SKLEARN.get(said.get("_estimator_type", ""))
        model = getattr(xgboost, name)() if name else xgboost.Booster()
        model.load_model(content)
        return model
