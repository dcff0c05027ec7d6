"""What a skops file may name besides what skops itself trusts: classes and functions, each with the reason.

Looked at in scikit-learn 1.9, scipy 1.17 and skops 0.16. For an object of a class here skops makes an empty
instance (or calls the class with arguments from the file) and sets its state, by `__setstate__` or attribute
by attribute; of a function it takes the name. So the question for each is what *that* does with hostile
values. The answer must be: it runs nothing that the file chooses. Something is added here after looking,
never because a model needs it; what takes a callable, a module's name or a path from the file is not added
(`FunctionTransformer` with a function of the author's, `PyFuncDistance`).

What this list does not promise: compiled classes trust their own numbers. Indices of trees, neighbour trees
and sparse matrices are looked through after loading (`indices`); other crafted numbers may still make *using*
a model read beside its memory and end the process. That process is a step's, and ends alone; no service loads
a model.
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

_BUFFERS = "compiled; its state is arrays and numbers, copied without a look at indices: `indices` looks"
_CHECKED_BUFFERS = (
    "compiled; dtype and shape of its arrays are checked, the indices in them are not: `indices` looks"
)
_VALUES = "plain Python; its state becomes its attributes, and nothing of it is called"
_FUNCTION = "a function of arrays; the file names it, only a method of the model calls it, with arrays"

_SINGLE = {
    "numpy.dtype": "read out of an empty .npy without pickles",
    "numpy.mean": _FUNCTION,
    "scipy._lib.array_api_compat.numpy._aliases.asarray": _FUNCTION,
    "scipy.interpolate._bsplines.BSpline": _VALUES,
    "scipy.sparse._csc.csc_matrix": _BUFFERS,
    "scipy.sparse._csr.csr_matrix": _BUFFERS,
    "sklearn.calibration._CalibratedClassifier": _VALUES,
    "sklearn.calibration._SigmoidCalibration": _VALUES,
    "sklearn.cluster._bisect_k_means._BisectingTree": _VALUES,
    "sklearn.cluster._kmeans._kmeans_single_elkan": _FUNCTION,
    "sklearn.cluster._kmeans._kmeans_single_lloyd": _FUNCTION,
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": _BUFFERS,
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace": _VALUES,
    "sklearn.neighbors._ball_tree.BallTree": _BUFFERS,
    "sklearn.neighbors._kd_tree.KDTree": _BUFFERS,
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer": _VALUES,
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer": _VALUES,
    "sklearn.tree._tree.Tree": _CHECKED_BUFFERS,
}


def _every() -> Iterator[tuple[str, str]]:
    yield from _SINGLE.items()
    for name in _LOSSES:
        yield f"sklearn._loss.loss.{name}", "plain Python around one number"
    for name in _SCORES:
        yield f"sklearn.feature_selection._univariate_selection.{name}", _FUNCTION
    for name in _KERNELS:
        yield (
            f"sklearn.gaussian_process.kernels.{name}",
            "plain Python: numbers and other kernels of this list",
        )
    for name in _DISTANCES:
        for bits in (32, 64):
            yield f"sklearn.metrics._dist_metrics.{name}Distance{bits}", _BUFFERS


TRUSTED = dict(_every())
"""Reason by name."""
