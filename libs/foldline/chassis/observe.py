"""One call for both a log line and a metric; and what the present call is a part of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from foldline.chassis import logs, metrics

log = logs.logger()

_seconds = metrics.histogram("foldline_span_seconds", "Time of named pieces of work", ("span", "outcome"))

_correlation: ContextVar[str] = ContextVar("foldline_correlation", default="")
_trace: ContextVar[str] = ContextVar("foldline_trace", default="")


def correlation() -> str:
    """Id of the request or message that is being handled; empty outside of one."""
    return _correlation.get()


def trace() -> str:
    """W3C traceparent of the request that is being handled; empty where the caller sent none."""
    return _trace.get()


def enter(correlation: str, trace: str = "") -> None:
    """Say what the current task is handling. Called at the edge: interceptor, message handler."""
    _correlation.set(correlation)
    _trace.set(trace)


@contextmanager
def span(name: str, **keys: object) -> Iterator[None]:
    """Time a piece of work: a debug line with the keys, and a sample of foldline_span_seconds."""
    start = time.perf_counter()
    outcome = "error"
    try:
        yield
        outcome = "ok"
    finally:
        seconds = time.perf_counter() - start
        _seconds.labels(name, outcome).observe(seconds)
        log.debug("span_ended", span=name, outcome=outcome, seconds=round(seconds, 6), **keys)
