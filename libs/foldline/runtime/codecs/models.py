"""scikit-learn estimators through skops, which builds only what skops and `trusted` name."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from foldline.runtime.codecs import indices, previews
from foldline.runtime.codecs.port import NotStorable, Written, is_a, reader, type_name, writer
from foldline.runtime.codecs.trusted import TRUSTED

_ADDRESS = re.compile(rb'("__id__": |"file": ")(\d+)')
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ModelCodec:
    encoding = "skops"
    type = "model"

    def takes(self, value: object) -> bool:
        return is_a(value, "sklearn", "BaseEstimator")

    def write(self, value: Any, target: Path) -> Written:
        io = writer("skops.io", "skops", "models")
        raw = target.with_name(f"{target.name}.raw")
        try:
            io.dump(value, raw)
            foreign = set(io.get_untrusted_types(file=raw)) - TRUSTED.keys()
        except Exception as error:
            # skops raises many classes for what it does not support; its message says which part.
            raise NotStorable(f"skops refuses it: {error}") from error
        if foreign:
            raise NotStorable(
                f"it contains types that are not on the list of safe ones: {', '.join(sorted(foreign))}"
            )
        _normalise(raw, target)
        raw.unlink()
        return Written(_facts(value), preview=lambda: _preview(value))

    def read(self, path: Path, filename: str) -> object:
        del filename
        io = reader("skops.io", "skops")
        foreign = set(io.get_untrusted_types(file=path)) - TRUSTED.keys()
        if foreign:
            raise ValueError(
                f"it contains types that are not on the list of safe ones: {', '.join(sorted(foreign))}"
            )
        model = io.load(path, trusted=sorted(TRUSTED))
        indices.check(model)
        return model


def _facts(model: Any) -> dict[str, Any]:
    count = getattr(model, "n_features_in_", None)
    return {"class": type_name(model), **({"features": int(count)} if isinstance(count, int) else {})}


def _preview(model: Any) -> dict[str, Any]:
    import sklearn

    found = {
        "kind": "model",
        "library": f"scikit-learn {sklearn.__version__}",
        **_facts(model),
        "parameters": previews.named(model.get_params(deep=False)),
    }
    for attribute, name in (("feature_names_in_", "feature_names"), ("classes_", "classes")):
        if (values := getattr(model, attribute, None)) is not None:
            found[name] = previews.cells(values)
    return found


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
