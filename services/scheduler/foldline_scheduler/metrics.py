"""The scheduler's numbers."""

from __future__ import annotations

from foldline.chassis import metrics

EVENTS = metrics.counter("foldline_scheduler_events", "Events appended to runs")
CONFLICTS = metrics.counter("foldline_scheduler_conflicts", "Appends that lost against another writer")
RUNS = metrics.gauge("foldline_scheduler_runs", "Runs in the hands of this scheduler")
SESSIONS = metrics.gauge("foldline_scheduler_executors", "Executor sessions heard of")
PARTITIONS = metrics.gauge("foldline_scheduler_partitions", "Partitions leased by this scheduler")
DISPATCHED = metrics.counter("foldline_scheduler_dispatched", "Work orders sent, repeats included")
