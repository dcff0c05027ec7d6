"""Amounts of bytes as operators write them in settings: 536870912, "512MiB", "16 GB"."""

from __future__ import annotations

import re

_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B|B)?\s*")
_POWERS = {None: 0, "K": 1, "M": 2, "G": 3, "T": 4}


class ByteAmount(int):
    """Made of a number or of text; prints as the number of bytes. Raises ValueError."""

    def __new__(cls, given: int | str) -> ByteAmount:
        return super().__new__(cls, given if isinstance(given, int) else _bytes(given))


def _bytes(text: str) -> int:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError('expected bytes, or text such as "512MiB" or "2GB"')
    unit: int = (1024 if match[3] else 1000) ** _POWERS[match[2]]
    return round(float(match[1]) * unit)
