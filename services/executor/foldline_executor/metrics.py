"""The executor's numbers."""

from __future__ import annotations

from foldline.chassis import metrics

BUSY = metrics.gauge("foldline_executor_busy", "Slots in use")
SLOTS = metrics.gauge("foldline_executor_slots", "Slots in all")
ATTEMPTS = metrics.counter("foldline_executor_attempts", "Attempts that ended", ("outcome",))
SECONDS = metrics.histogram("foldline_executor_attempt_seconds", "From work order to report")
LINES = metrics.counter("foldline_executor_log_lines", "Lines that steps wrote")
UNACKNOWLEDGED = metrics.gauge(
    "foldline_executor_unacknowledged_reports", "Reports no scheduler has taken yet"
)
