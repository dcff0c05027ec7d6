"""How a step is run: what authors say in `@fl.step(...)`, as plain values.

Durations are seconds or a `timedelta`, amounts of memory bytes or text such as "2GiB". Whether the words and
numbers make sense is the domain's to say, at the line of the step's use.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypedDict

from foldline.sdk.problems import refuse

Seconds = float | timedelta
Effects = Literal["pure", "idempotent", "unsafe"]
Isolation = Literal["fresh", "shared"]

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(i?)B?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When to try a step again after it failed by its own fault. Losses of the platform do not count.

    `never_after` lists exceptions after which it is not tried again. `jitter` spreads each delay by up to
    this fraction to both sides (None: the installation's default). With `on_exhausted="pause"` a step that
    has no attempt left is held until a person retries or stops it, instead of failing the run.
    """

    max_attempts: int = 3
    delay: Seconds = 0.0
    multiplier: float = 2.0
    max_delay: Seconds = 300.0
    never_after: tuple[str | type[BaseException], ...] = ()
    on_exhausted: Literal["fail", "pause"] = "fail"
    jitter: float | None = None


class Options(TypedDict, total=False):
    """What `@fl.step(...)` takes besides names.

    `run_timeout` limits one attempt, `queue_timeout` its wait for an executor, `total_timeout` the step with
    all its attempts, `silence_timeout` the time without a sign of life; `grace` is what an attempt gets to
    leave by itself. `cpu` is cores, `memory` bytes or text such as "2GiB", `flavor` a named size of the
    installation; each of its `ranks` gets as much: processes that work on an attempt together (RANK,
    WORLD_SIZE, MASTER_ADDR and their like say who each is; the outputs are rank 0's).

    At most `max_active` attempts run at once, over all runs of the workflow.

    `effects`: "pure" (equal inputs give equal outputs), "idempotent" (may run again) or "unsafe" (never runs
    again without an explicit yes). `cache=True` lets outputs of an equal attempt stand for running it.
    `isolation`: "fresh" (a process for each attempt) or "shared" (one attempt after the other in a warm
    process; for short pure functions). `open_files` and `disk` (bytes or text, of its outputs and its folder)
    are limits like `memory`.
    `allow_pickle` lets outputs be stored that have no safe format; the record says so.
    """

    retry: Retry | None
    run_timeout: Seconds
    queue_timeout: Seconds
    total_timeout: Seconds
    silence_timeout: Seconds
    grace: Seconds
    pool: str
    flavor: str
    cpu: float
    memory: int | str
    gpu: int
    ranks: int
    open_files: int
    disk: int | str
    max_active: int
    effects: Effects
    cache: bool
    isolation: Isolation
    allow_pickle: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`Options`, complete. Times are seconds, 0 means no limit or the installation's default."""

    retry: Retry | None = None
    run_timeout: float = 0.0
    queue_timeout: float = 0.0
    total_timeout: float = 0.0
    silence_timeout: float = 0.0
    grace: float = 0.0
    pool: str = ""
    flavor: str = ""
    cpu: float = 0.0
    memory_bytes: int = 0
    gpu: int = 0
    ranks: int = 0
    open_files: int = 0
    disk_bytes: int = 0
    max_active: int = 0
    effects: str = "idempotent"
    cache: bool = False
    isolation: str = "fresh"
    allow_pickle: bool = False


def policy_of(options: Options, what: str = "@fl.step") -> Policy:
    """The policy of these options. Refuses what is no option, no duration or no amount."""
    for name in sorted({*options} - {*Options.__annotations__}):
        raise refuse("ILLEGAL_POLICY", what, f"has no option {name}{closest(name, Options.__annotations__)}")
    return Policy(
        retry=options.get("retry"),
        run_timeout=seconds(options.get("run_timeout", 0.0)),
        queue_timeout=seconds(options.get("queue_timeout", 0.0)),
        total_timeout=seconds(options.get("total_timeout", 0.0)),
        silence_timeout=seconds(options.get("silence_timeout", 0.0)),
        grace=seconds(options.get("grace", 0.0)),
        pool=options.get("pool", ""),
        flavor=options.get("flavor", ""),
        cpu=options.get("cpu", 0.0),
        memory_bytes=_bytes("memory", options.get("memory", 0)),
        gpu=options.get("gpu", 0),
        ranks=options.get("ranks", 0),
        open_files=options.get("open_files", 0),
        disk_bytes=_bytes("disk", options.get("disk", 0)),
        max_active=options.get("max_active", 0),
        effects=options.get("effects", "idempotent"),
        cache=options.get("cache", False),
        isolation=options.get("isolation", "fresh"),
        allow_pickle=options.get("allow_pickle", False),
    )


def closest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what was probably meant."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def seconds(duration: Seconds) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else duration


def _bytes(what: str, amount: int | str) -> int:
    if isinstance(amount, int):
        return amount
    match = _AMOUNT.fullmatch(amount)
    if match is None:
        raise refuse("ILLEGAL_POLICY", what, f'is {amount!r}; write bytes, or text such as "512MiB" or "2GB"')
    return int(float(match[1]) * (1024 if match[3] else 1000) ** _POWERS[match[2]])
