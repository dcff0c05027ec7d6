"""What a skops file may name besides what skops itself trusts: classes and functions, each with the reason.

Reviewed against scikit-learn 1.9 and skops 0.16. Loading a file builds objects of these classes and calls
their `__reduce__` constructor or `__setstate__`, so the question for each is: what can those do with hostile
arguments? Something is added here after an answer to that, never because a model needs it. What takes a
callable, a module name or a path from the file is never added (`sklearn.preprocessing.FunctionTransformer`
with a function of the author's is refused for that).
"""

from __future__ import annotations

from collections.abc import Iterator

_LOSSES = ("HalfTweedieLoss", "HalfTweedieLossIdentity")
_KERNELS = (
    "CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation", "Matern",
    "PairwiseKernel", "Product", "RBF", "RationalQuadratic", "Sum", "WhiteKernel",
)  # fmt: skip
_DISTANCES = ("Chebyshev", "Euclidean", "Hamming", "Haversine", "Manhattan", "Minkowski", "SEuclidean")
_SCORES = ("chi2", "f_classif", "f_regression", "r_regression")

_BUFFERS = "compiled class over arrays of numbers; its constructor checks their dtypes and shapes"
_VALUES = "plain class; its state is set attribute by attribute, and no attribute is called when that is done"
_FUNCTION = "function of arrays; loading names it and does not call it"

_SINGLE = {
    "numpy.dtype": "describes numbers; the object dtype has nothing to point to in a file without pickles",
    "numpy.mean": _FUNCTION,
    "scipy._lib.array_api_compat.numpy._aliases.asarray": _FUNCTION,
    "scipy.interpolate._bsplines.BSpline": _VALUES,
    "scipy.sparse._csc.csc_matrix": _VALUES,
    "scipy.sparse._csr.csr_matrix": _VALUES,
    "sklearn.calibration._CalibratedClassifier": _VALUES,
    "sklearn.calibration._SigmoidCalibration": _VALUES,
    "sklearn.cluster._bisect_k_means._BisectingTree": _VALUES,
    "sklearn.cluster._kmeans._kmeans_single_elkan": _FUNCTION,
    "sklearn.cluster._kmeans._kmeans_single_lloyd": _FUNCTION,
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": (
        "plain class over arrays of nodes; predicting with wrong nodes may read beside them, loading does not"
    ),
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace": _VALUES,
    "sklearn.neighbors._ball_tree.BallTree": _BUFFERS,
    "sklearn.neighbors._kd_tree.KDTree": _BUFFERS,
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer": _VALUES,
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer": _VALUES,
    "sklearn.tree._tree.Tree": _BUFFERS,
}


def _every() -> Iterator[tuple[str, str]]:
    yield from _SINGLE.items()
    for name in _LOSSES:
        yield f"sklearn._loss.loss.{name}", "one number; its constructor computes with it"
    for name in _SCORES:
        yield f"sklearn.feature_selection._univariate_selection.{name}", _FUNCTION
    for name in _KERNELS:
        yield f"sklearn.gaussian_process.kernels.{name}", "numbers and other kernels of this list"
    for name in _DISTANCES:
        for bits in (32, 64):
            yield f"sklearn.metrics._dist_metrics.{name}Distance{bits}", _BUFFERS


TRUSTED = dict(_every())
"""Reason by name."""
