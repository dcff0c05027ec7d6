"""scikit-learn estimators through skops, with a reviewed list of what may be loaded.

skops trusts what it knows; these are the further classes that fitted scikit-learn estimators consist of. Each
holds numbers and other trusted values; none runs anything when it is built. A class is added here after
looking at its constructor and __setstate__, never because a model needs it.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from foldline.runtime.codecs.port import NotStorable, Written, is_a, type_name

_LOSSES = ("HalfTweedieLoss", "HalfTweedieLossIdentity")
_KERNELS = (
    "CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation", "Matern",
    "PairwiseKernel", "Product", "RBF", "RationalQuadratic", "Sum", "WhiteKernel",
)  # fmt: skip
_DISTANCES = ("Chebyshev", "Euclidean", "Hamming", "Haversine", "Manhattan", "Minkowski", "SEuclidean")
_SCORES = ("chi2", "f_classif", "f_regression", "r_regression")

TRUSTED = frozenset(
    {
        "numpy.dtype",
        "numpy.mean",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "scipy.interpolate._bsplines.BSpline",
        "scipy.sparse._csc.csc_matrix",
        "scipy.sparse._csr.csr_matrix",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.cluster._bisect_k_means._BisectingTree",
        "sklearn.cluster._kmeans._kmeans_single_elkan",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        *(f"sklearn._loss.loss.{name}" for name in _LOSSES),
        *(f"sklearn.feature_selection._univariate_selection.{name}" for name in _SCORES),
        *(f"sklearn.gaussian_process.kernels.{name}" for name in _KERNELS),
        *(f"sklearn.metrics._dist_metrics.{name}Distance{bits}" for name in _DISTANCES for bits in (32, 64)),
    }
)

_ADDRESS = re.compile(rb'("__id__": |"file": ")(\d+)')
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ModelCodec:
    encoding = "skops"
    type = "model"

    def takes(self, value: object) -> bool:
        return is_a(value, "sklearn", "BaseEstimator")

    def write(self, value: Any, target: Path) -> Written:
        try:
            import skops.io
        except ImportError as error:
            raise NotStorable("models need the package skops among the workflow's requirements") from error
        raw = target.with_name(f"{target.name}.raw")
        try:
            skops.io.dump(value, raw)
            foreign = set(skops.io.get_untrusted_types(file=raw)) - TRUSTED
        except Exception as error:
            # skops raises many classes for what it does not support; its message says which part.
            raise NotStorable(f"skops refuses it: {error}") from error
        if foreign:
            raise NotStorable(
                f"it contains types that are not on the list of safe ones: {', '.join(sorted(foreign))}"
            )
        _normalise(raw, target)
        raw.unlink()
        return Written({"class": type_name(value), **_features(value)})

    def read(self, path: Path, filename: str) -> object:
        import skops.io

        del filename
        foreign = set(skops.io.get_untrusted_types(file=path)) - TRUSTED
        if foreign:
            raise ValueError(
                f"it contains types that are not on the list of safe ones: {', '.join(sorted(foreign))}"
            )
        return skops.io.load(path, trusted=sorted(TRUSTED))


def _features(model: Any) -> dict[str, Any]:
    count = getattr(model, "n_features_in_", None)
    return {"features": int(count)} if isinstance(count, int) else {}


def _normalise(raw: Path, target: Path) -> None:
    """The same model shall have the same digest: no memory addresses for names, no times of day."""
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as result:
        numbers: dict[bytes, bytes] = {}

        def renumber(match: re.Match[bytes]) -> bytes:
            return match[1] + numbers.setdefault(match[2], b"%d" % len(numbers))

        schema = _ADDRESS.sub(renumber, source.read("schema.json"))
        members = {}
        for name in source.namelist():
            stem, dot, suffix = name.partition(".")
            stem = numbers.get(stem.encode(), stem.encode()).decode()
            members[f"{stem}{dot}{suffix}"] = name
        for name in sorted(members):
            content = schema if name == "schema.json" else source.read(members[name])
            result.writestr(zipfile.ZipInfo(name, _EPOCH), content)
