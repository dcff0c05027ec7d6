"""The facts about schedules and triggers. Mirrors of the messages in schedule_events.proto."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from foldline.domain.run_events import Event
from foldline.domain.spec import Json

Overlap = Literal["skip", "queue", "cancel", "allow"]


class Times(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    cron: str = ""
    time_zone: str = ""
    every_seconds: int = 0
    start: datetime | UnsetType = UNSET
    once: datetime | UnsetType = UNSET


class ScheduleSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    workflow: str
    values: dict[str, Json] = {}
    time_parameter: str = ""
    times: Times
    overlap: Overlap = "skip"
    catch_up_seconds: int = 0
    jitter_seconds: int = 0
    description: str = ""


class ScheduleCreated(Event, frozen=True, kw_only=True):
    workspace: str
    schedule: str
    settings: ScheduleSettings


class ScheduleChanged(Event, frozen=True, kw_only=True):
    settings: ScheduleSettings


class SchedulePaused(Event, frozen=True, kw_only=True):
    reason: str = ""


class ScheduleResumed(Event, frozen=True, kw_only=True):
    pass


class ScheduleDeleted(Event, frozen=True, kw_only=True):
    pass


class ScheduleFired(Event, frozen=True, kw_only=True):
    at: datetime
    run_id: str
    backfill: str = ""


class ScheduleQueued(Event, frozen=True, kw_only=True):
    at: datetime
    behind: str
    stop: bool = False


class ScheduleSkipped(Event, frozen=True, kw_only=True):
    at: datetime
    until: datetime
    count: int
    reason: str
    because: str = ""


class FiredRunRefused(Event, frozen=True, kw_only=True):
    run_id: str
    reason: str
    message: str = ""


class FiredRunEnded(Event, frozen=True, kw_only=True):
    run_id: str
    status: str


class BackfillRequested(Event, frozen=True, kw_only=True):
    backfill: str
    first: datetime
    last: datetime
    parallelism: int


class BackfillCancelled(Event, frozen=True, kw_only=True):
    backfill: str


class BackfillCompleted(Event, frozen=True, kw_only=True):
    backfill: str
    count: int = 0


class TriggerSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    workflow: str
    values: dict[str, Json] = {}
    subject: str = ""
    filter: str = ""
    parameters: dict[str, str] = {}
    description: str = ""


class TriggerCreated(Event, frozen=True, kw_only=True):
    workspace: str
    trigger: str
    settings: TriggerSettings
    secret_digest: str = ""


class TriggerChanged(Event, frozen=True, kw_only=True):
    settings: TriggerSettings


class TriggerDeleted(Event, frozen=True, kw_only=True):
    pass


class TriggerFired(Event, frozen=True, kw_only=True):
    source: str
    event_id: str
    event_type: str = ""
    run_id: str
    values: dict[str, Json] = {}
    causes: tuple[str, ...] = ()


class TriggerIgnored(Event, frozen=True, kw_only=True):
    source: str = ""
    event_id: str = ""
    event_type: str = ""
    reason: str
    message: str = ""
    count: int = 0


ScheduleEvent = (
    ScheduleCreated
    | ScheduleChanged
    | SchedulePaused
    | ScheduleResumed
    | ScheduleDeleted
    | ScheduleFired
    | ScheduleQueued
    | ScheduleSkipped
    | FiredRunRefused
    | FiredRunEnded
    | BackfillRequested
    | BackfillCancelled
    | BackfillCompleted
    | TriggerCreated
    | TriggerChanged
    | TriggerDeleted
    | TriggerFired
    | TriggerIgnored
)
