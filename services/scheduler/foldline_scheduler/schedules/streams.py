"""Names of the streams of schedules and triggers, and the runs that they start."""

from __future__ import annotations

from uuid import UUID, uuid5

_FIRINGS = UUID("2f0b7c1e-5c1d-5f5e-8b53-9a0c4f2f7d11")
"""Name space of the runs of firings. No client's request id leads into it (see `mint_run_id`)."""

SCHEDULE = "schedule"
TRIGGER = "trigger"


def schedule_stream(workspace: str, schedule: str) -> str:
    return f"{SCHEDULE}-{workspace}.{schedule}"


def trigger_stream(workspace: str, trigger: str) -> str:
    return f"{TRIGGER}-{workspace}.{trigger}"


def category_of(stream: str) -> str:
    return stream.partition("-")[0]


def actor_of(stream: str) -> str:
    """In whose name its runs are started: "schedule:<workspace>/<name>"."""
    category, _, name = stream.partition("-")
    return f"{category}:{name.replace('.', '/', 1)}"


def mint_fired_run_id(stream: str, firing: str) -> str:
    """The id of the run of a firing; the same firing always has the same one."""
    return str(uuid5(_FIRINGS, f"{stream}/{firing}"))
