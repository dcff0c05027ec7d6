"""Names of the streams that the recorder reads as records of runs."""

from __future__ import annotations

RUN_PREFIX = "run-"


def run_stream(run_id: str) -> str:
    return f"{RUN_PREFIX}{run_id}"


def run_id_of(stream: str) -> str:
    return stream.removeprefix(RUN_PREFIX)
