"""The recorder's numbers."""

from __future__ import annotations

from datetime import datetime

from foldline.chassis import metrics
from foldline.chassis.clock import Clock

EVENTS = metrics.counter("foldline_recorder_events", "Events followed", ("follower",))
UNREADABLE = metrics.counter("foldline_recorder_unreadable", "Events at which the fold of a run stopped")
PARKED = metrics.counter("foldline_recorder_parked", "Facts that could not be published and were parked")
WATCHERS = metrics.gauge("foldline_recorder_watchers", "Open watches of runs and readers of logs")
_LAG = metrics.gauge(
    "foldline_recorder_lag_seconds",
    "Age of the oldest event that a follower has in hand; 0 when it is idle",
    ("follower",),
)


class Lag:
    """How far behind a follower is. Asked when /metrics is read, so it grows while the follower is stuck."""

    def __init__(self, follower: str, clock: Clock) -> None:
        self._clock = clock
        self._oldest: datetime | None = None
        _LAG.labels(follower).set_function(self.seconds)

    def begin(self, oldest: datetime) -> None:
        """Work on events begins, the oldest of which was recorded then."""
        self._oldest = oldest

    def end(self) -> None:
        self._oldest = None

    def seconds(self) -> float:
        if self._oldest is None:
            return 0.0
        return max(0.0, (self._clock.now() - self._oldest).total_seconds())
