"""Amounts of bytes in settings."""

from __future__ import annotations

import pytest

from foldline.chassis.amounts import ByteAmount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("536870912", 536870912),
        ("512MiB", 512 << 20),
        ("16 GiB", 16 << 30),
        ("1.5GB", 1_500_000_000),
        ("2TiB", 2 << 40),
        ("7B", 7),
    ],
)
def test_an_amount_is_a_number_or_has_a_unit(text: str, amount: int) -> None:
    assert ByteAmount(text) == amount


@pytest.mark.parametrize("text", ["", "much", "-1", "16Gi", "1 PB", "1e9"])
def test_anything_else_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected bytes"):
        ByteAmount(text)
