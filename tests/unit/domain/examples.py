"""How many examples a costly test looks at: its share of what the profile says; campaigns reach it so."""

from __future__ import annotations

from hypothesis import settings


def share(of_hundred: int) -> settings:
    """So many where the others look at a hundred."""
    assert settings.default is not None
    return settings(max_examples=max(settings.default.max_examples * of_hundred // 100, 1))
