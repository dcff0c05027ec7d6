"""Models in the formats of their own libraries."""

from __future__ import annotations

import re
import warnings
from typing import Any

import lightgbm
import numpy as np
import onnx
import onnx.helper
import pytest
import xgboost
from tests.unit.runtime.coding import Encode, _in_a_work_folder, decode, encode, refusal, unreadable

from foldline.runtime.codecs.trusted import TRUSTED
from foldline.runtime.jobs import Product

__all__ = ["_in_a_work_folder", "encode"]

X = np.random.default_rng(0).normal(size=(80, 3))
Y = (X[:, 0] > 0).astype(int)


def test_a_lightgbm_booster_predicts_the_same(encode: Encode) -> None:
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X, Y), 5)

    product = encode(booster)

    assert (product.type, product.encoding) == ("model", "lightgbm")
    assert product.preview["trees"] == 5
    assert np.array_equal(decode(product).predict(X), booster.predict(X))


def test_of_a_lightgbm_estimator_the_booster_is_asked_for(encode: Encode) -> None:
    assert "return model.booster_" in refusal(encode, lightgbm.LGBMClassifier(verbose=-1))


@pytest.mark.parametrize("kind", [xgboost.XGBClassifier, xgboost.XGBRegressor])
def test_an_xgboost_estimator_comes_back_as_one(encode: Encode, kind: Any) -> None:
    model = kind(n_estimators=3, max_depth=2).fit(X, Y)

    product = encode(model)

    assert (product.type, product.encoding) == ("model", "xgboost")
    assert (product.preview["trees"], product.preview["parameters"]["max_depth"]) == (3, 2)
    back = decode(product)
    assert type(back) is kind
    assert np.array_equal(back.predict(X), model.predict(X))


def test_an_xgboost_booster_comes_back_as_one(encode: Encode) -> None:
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, Y), 3)

    back = decode(encode(booster))

    assert type(back) is xgboost.Booster
    assert np.array_equal(back.predict(xgboost.DMatrix(X)), booster.predict(xgboost.DMatrix(X)))


def test_a_class_of_the_authors_own_is_not_looked_up(encode: Encode) -> None:
    class Mine(xgboost.XGBClassifier):
        pass

    assert "only the booster can be kept" in refusal(encode, Mine(n_estimators=1).fit(X, Y))


def test_an_onnx_model_comes_back_equal(encode: Encode) -> None:
    model = onnx_model()

    product = encode(model)

    assert (product.type, product.encoding) == ("model", "onnx")
    assert product.preview["operators"] == ["Add"]
    assert product.preview["inputs"] == [{"name": "x", "element": 1, "shape": ["rows", 3]}]
    assert decode(product) == model


def test_an_onnx_model_with_weights_elsewhere_is_refused(encode: Encode) -> None:
    model = onnx_model()
    weights = model.graph.initializer.add(name="w", data_type=1, data_location=1)
    weights.external_data.add(key="location", value="/etc/passwd")

    assert "its weights w lie in other files" in refusal(encode, model)


def onnx_model() -> Any:
    def place(name: str) -> Any:
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", 3])

    node = onnx.helper.make_node("Add", ["x", "x"], ["y"])
    return onnx.helper.make_model(onnx.helper.make_graph([node], "double", [place("x")], [place("y")]))


@pytest.mark.parametrize("encoding", ["lightgbm", "xgboost", "onnx", "safetensors", "folder"])
def test_nonsense_is_refused(encoding: str, tmp_path: Any) -> None:
    (tmp_path / "bad").write_bytes(b"nonsense")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = unreadable(Product(type="model", encoding=encoding, file=tmp_path / "bad"))

    assert said.startswith("INPUT_NOT_READABLE: input data cannot be read as")


def test_every_trusted_name_has_a_reason_and_is_no_way_to_run_code() -> None:
    assert TRUSTED
    for name, reason in TRUSTED.items():
        assert len(reason) > 10
        assert re.fullmatch(r"(numpy|scipy|sklearn)(\.\w+)+", name)
        assert not re.search(
            r"(^|\.)(eval|exec|os|subprocess|builtins|FunctionTransformer|memmap|load)(\.|$)", name
        )
