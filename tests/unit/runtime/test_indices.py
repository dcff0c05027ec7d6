"""Models whose indices lead out of them are refused when they are read."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from tests.unit.runtime.coding import Encode, _in_a_work_folder, decode, encode, unreadable

__all__ = ["_in_a_work_folder", "encode"]

X = np.random.default_rng(0).normal(size=(100, 3))
Y = (X[:, 0] > 0).astype(int)


def crafted(**changes: int) -> RandomForestClassifier:
    """A forest of which the root of the second tree is not what it was."""
    model = RandomForestClassifier(3, random_state=0).fit(X, Y)
    tree = model.estimators_[1].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    for name, value in changes.items():
        nodes[0][name] = value
    tree.__setstate__({**state, "nodes": nodes})
    return model


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"left_child": 1_000_000}, "leads out of it"),
        ({"right_child": 0}, "leads back"),
        ({"left_child": -7}, "leads back"),
        ({"right_child": -1}, "has one child"),
        ({"feature": 3}, "asks for a feature that is not there"),
        ({"feature": -5}, "asks for a feature that is not there"),
    ],
)
def test_a_tree_that_leads_out_of_itself_is_refused(
    encode: Encode, changes: dict[str, int], problem: str
) -> None:
    said = unreadable(encode(crafted(**changes)))

    assert problem in said
    assert decode(encode(crafted())).predict(X).shape == (100,)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("left", 10_000, "leads out of it"),
        ("right", 0, "leads back"),
        ("feature_idx", 3, "asks for a feature that is not there"),
        ("feature_idx", -1, "asks for a feature before the first"),
    ],
)
def test_a_histogram_tree_that_leads_out_of_itself_is_refused(
    encode: Encode, field: str, value: int, problem: str
) -> None:
    model = HistGradientBoostingClassifier(max_iter=3).fit(X, Y)
    model._predictors[1][0].nodes[0][field] = value

    assert problem in unreadable(encode(model))


def test_a_neighbour_tree_that_names_other_points_is_refused(encode: Encode) -> None:
    model = KNeighborsClassifier(algorithm="kd_tree").fit(X, Y)
    state = list(model._tree.__getstate__())
    state[1] = np.full_like(np.asarray(state[1]), 10_000)
    model._tree.__setstate__(tuple(state))

    assert "names points that are not there" in unreadable(encode(model))


def test_a_sparse_matrix_that_leads_out_of_itself_is_refused(encode: Encode) -> None:
    model = KNeighborsClassifier(algorithm="brute").fit(csr_matrix(X), Y)
    model._fit_X.indices[0] = 10_000

    assert "INPUT_NOT_READABLE" in unreadable(encode(model))
