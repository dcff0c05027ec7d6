"""What a check of histories may say."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """Something that must not be."""

    run_id: str
    rule: str
    problem: str

    def __str__(self) -> str:
        return f"{self.rule}: run {self.run_id}: {self.problem}"
