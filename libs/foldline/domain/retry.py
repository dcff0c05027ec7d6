"""When a failed attempt is tried again. Arithmetic only: the caller brings chance and clock."""

from __future__ import annotations

from foldline.domain.spec import Retry

DEFAULT_MULTIPLIER = 2.0
DEFAULT_MAX_DELAY_SECONDS = 300.0
JITTER = 0.1
"""A delay is spread by up to this fraction to both sides, so that retries do not come in step."""

INFRASTRUCTURE_ATTEMPTS = 10
"""Attempts lost to the platform before a step fails for good. A guard against a loop without end: they do
not count against the author's own budget."""

INFRASTRUCTURE = Retry(delay_seconds=0.5, multiplier=2.0, max_delay_seconds=30.0)


def delay_seconds(policy: Retry, failures: int, jitter: float) -> float:
    """Seconds between the failure number `failures` (1 is the first) and the next attempt.

    `jitter` is a number in [0, 1) that spreads the delay evenly over ±10 %.
    """
    factor = (policy.multiplier or DEFAULT_MULTIPLIER) ** min(failures - 1, 64)
    limit = policy.max_delay_seconds or DEFAULT_MAX_DELAY_SECONDS
    return min(policy.delay_seconds * factor, limit) * (1 - JITTER + 2 * JITTER * jitter)


def is_allowed(policy: Retry, failures: int, error_class: str) -> bool:
    """May there be another attempt after `failures` failures, the newest of class `error_class`?"""
    return failures < max(policy.max_attempts, 1) and error_class not in policy.never_after
