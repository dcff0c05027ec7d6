"""Writing a value as an artifact and reading it back, as a step's process does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foldline.runtime import codecs
from foldline.runtime.failures import StepError
from foldline.runtime.jobs import Given, Product

Encode = Callable[..., Product]


@pytest.fixture(autouse=True)
def _in_a_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def encode(tmp_path: Path) -> Encode:
    def encode(value: object, declared: str = "any", **pickle: bool) -> Product:
        return codecs.encode(
            "output", value, declared, tmp_path / "outputs" / "output", **{"allow_pickle": False, **pickle}
        )

    return encode


def decode(product: Product, **pickle: bool) -> Any:
    given = Given(file=str(product.file), encoding=product.encoding, filename=product.filename)
    return codecs.decode("data", given, **{"allow_pickle": False, **pickle})


def refusal(encode: Encode, value: object, declared: str = "any", **pickle: bool) -> str:
    with pytest.raises(StepError) as refused:
        encode(value, declared, **pickle)
    assert refused.value.failure.kind == "invalid"
    return f"{refused.value.failure.reason}: {refused.value.failure.message}"


def unreadable(product: Product, **pickle: bool) -> str:
    with pytest.raises(StepError) as refused:
        decode(product, **pickle)
    assert refused.value.failure.kind == "invalid"
    return f"{refused.value.failure.reason}: {refused.value.failure.message}"
