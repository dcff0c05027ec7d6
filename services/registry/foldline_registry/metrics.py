"""The registry's numbers."""

from __future__ import annotations

from foldline.chassis import metrics

COMMANDS = metrics.counter(
    "foldline_registry_commands", "Commands that were decided", ("category", "outcome")
)
VIEW_EVENTS = metrics.counter("foldline_registry_view_events", "Events taken into the read models")
VIEW_WAIT_SECONDS = metrics.histogram(
    "foldline_registry_view_wait_seconds", "Time from a commit until the read models had it"
)
VIEW_WAITS_CUT = metrics.counter(
    "foldline_registry_view_waits_cut", "Commands answered before the read models had them"
)
