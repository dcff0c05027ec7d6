"""Do the indices inside a model that was read lead into the model? Compiled code follows them unchecked.

A tree whose child is a node that is not there makes predicting read beside its memory; one whose child is an
earlier node makes it never end. So what is read is looked through once: trees, histogram trees, neighbour
trees and sparse matrices, wherever in the model they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_LEAF = -1
_CONTAINERS = (list, tuple, set, frozenset)


def check(model: object) -> None:
    """Raises ValueError for an index that leads out of its array."""
    for part in _parts(model):
        match _called(part):
            case "sklearn.tree._tree.Tree":
                _check_tree(part)
            case "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor":
                _check_predictor(part)
            case "sklearn.neighbors._kd_tree.KDTree" | "sklearn.neighbors._ball_tree.BallTree":
                _check_neighbours(part)
            case _ if hasattr(part, "_predictors"):
                _check_boosting(part)
            case name if name.startswith("scipy.sparse._cs"):
                part.check_format(full_check=True)


def _parts(model: object) -> Iterator[Any]:
    """The model, and everything that hangs on it by attributes, lists, dicts and arrays of objects."""
    waiting, seen = [model], set()
    while waiting:
        one: Any = waiting.pop()
        if id(one) in seen or isinstance(one, str | bytes | int | float | type | None):
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, _CONTAINERS):
            waiting.extend(one)
        elif type(one).__module__ == "numpy":
            if getattr(one, "dtype", None) is not None and one.dtype.hasobject:
                waiting.extend(one.ravel().tolist())
        else:
            yield one
            waiting.extend(getattr(one, "__dict__", {}).values())


def _check_tree(tree: Any) -> None:
    """Children come after their parents, as they do however a tree is grown."""
    import numpy as np

    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = left != _LEAF
    _demand(bool(((right != _LEAF) == inner).all()), "a node of a tree has one child")
    for child in (left, right):
        _demand(bool((child[inner] > np.flatnonzero(inner)).all()), "a node of a tree leads back")
        _demand(bool((child[inner] < tree.node_count).all()), "a node of a tree leads out of it")
    asked = feature[inner]
    is_known = bool(((asked >= 0) & (asked < tree.n_features)).all())
    _demand(is_known, "a node of a tree asks for a feature that is not there")


def _check_predictor(predictor: Any) -> None:
    import numpy as np

    nodes = predictor.nodes
    inner = nodes[nodes["is_leaf"] == 0]
    place = np.flatnonzero(nodes["is_leaf"] == 0)
    for side in ("left", "right"):
        child = inner[side].astype(np.int64)
        _demand(bool((child > place).all()), "a node of a histogram tree leads back")
        _demand(bool((child < len(nodes)).all()), "a node of a histogram tree leads out of it")
    _demand(bool((inner["feature_idx"] >= 0).all()), "a histogram tree asks for a feature before the first")
    split = inner[inner["is_categorical"] == 1]["bitset_idx"]
    for bitsets in (predictor.binned_left_cat_bitsets, predictor.raw_left_cat_bitsets):
        _demand(bool((split < len(bitsets)).all()), "a histogram tree names categories that are not there")


def _check_boosting(model: Any) -> None:
    """The trees do not know how many features there are; the model does."""
    for tree in (one for row in model._predictors for one in row):  # noqa: SLF001 - there is no other way to them
        asked = tree.nodes[tree.nodes["is_leaf"] == 0]["feature_idx"]
        is_known = bool((asked < model._n_features).all())  # noqa: SLF001 - the same
        _demand(is_known, "a histogram tree asks for a feature that is not there")


def _check_neighbours(tree: Any) -> None:
    data, places, nodes, _ = (part for part in tree.get_arrays())
    count = len(data)
    _demand(len(places) == count, "a neighbour tree orders other points than it has")
    _demand(
        bool(((places >= 0) & (places < count)).all()), "a neighbour tree names points that are not there"
    )
    for end in ("idx_start", "idx_end"):
        found = nodes[end]
        _demand(bool(((found >= 0) & (found <= count)).all()), "a node of a neighbour tree leads out of it")


def _demand(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)


def _called(one: object) -> str:
    return f"{type(one).__module__}.{type(one).__qualname__}"
