"""The gateway's own metrics; those of RPCs through the front door come from the chassis."""

from __future__ import annotations

from foldline.chassis import metrics

HTTP_SECONDS = metrics.histogram(
    "foldline_http_seconds", "Time of HTTP requests answered, streams included", ("part", "status")
)
