"""Schedules and triggers, as the client sees them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import grpc
import msgspec

from foldline.api.event.v1 import schedule_events_pb2 as events
from foldline.api.scheduler.v1 import schedule_service_pb2 as pb
from foldline.api.scheduler.v1 import trigger_service_pb2 as trigger_pb
from foldline.api.scheduler.v1.schedule_service_pb2_grpc import ScheduleServiceStub
from foldline.api.scheduler.v1.trigger_service_pb2_grpc import TriggerServiceStub
from foldline.domain.schedule_events import ScheduleSettings, TriggerSettings
from foldline.domain.spec import Json
from foldline.sdk.calls import ask
from foldline.wire import messages

_PAGE = 500


class Schedules:
    """Schedules of one workspace: what starts runs at times."""

    def __init__(self, channel: grpc.aio.Channel, workspace: str) -> None:
        self._stub = ScheduleServiceStub(channel)
        self._workspace = workspace

    async def create(self, schedule: str, settings: ScheduleSettings) -> pb.Schedule:
        request = pb.CreateScheduleRequest(
            workspace=self._workspace,
            schedule=schedule,
            settings=messages.to_message(settings, events.ScheduleSettings),
        )
        return (await ask(self._stub.CreateSchedule, request)).schedule

    async def get(self, schedule: str) -> pb.Schedule:
        request = pb.GetScheduleRequest(workspace=self._workspace, schedule=schedule)
        return (await ask(self._stub.GetSchedule, request)).schedule

    async def update(self, schedule: str, settings: ScheduleSettings) -> pb.Schedule:
        """Replace the settings as a whole."""
        request = pb.UpdateScheduleRequest(
            workspace=self._workspace,
            schedule=schedule,
            settings=messages.to_message(settings, events.ScheduleSettings),
        )
        return (await ask(self._stub.UpdateSchedule, request)).schedule

    async def pause(self, schedule: str, reason: str = "") -> pb.Schedule:
        request = pb.PauseScheduleRequest(workspace=self._workspace, schedule=schedule, reason=reason)
        return (await ask(self._stub.PauseSchedule, request)).schedule

    async def resume(self, schedule: str) -> pb.Schedule:
        request = pb.ResumeScheduleRequest(workspace=self._workspace, schedule=schedule)
        return (await ask(self._stub.ResumeSchedule, request)).schedule

    async def delete(self, schedule: str) -> None:
        request = pb.DeleteScheduleRequest(workspace=self._workspace, schedule=schedule)
        await ask(self._stub.DeleteSchedule, request)

    async def history(self, schedule: str, *, limit: int = 0, before: int = 0) -> list[pb.HistoryEntry]:
        """Why it did or did not fire, newest first; only entries before that version where one is given."""
        request = pb.ListScheduleHistoryRequest(
            workspace=self._workspace, schedule=schedule, limit=limit, before_version=before
        )
        return list((await ask(self._stub.ListScheduleHistory, request)).entries)

    async def backfill(self, schedule: str, first: datetime, last: datetime, *, parallelism: int = 1) -> str:
        """Fire every time from `first` to `last`, both included; the backfill's id."""
        request = pb.BackfillScheduleRequest(
            workspace=self._workspace, schedule=schedule, parallelism=parallelism
        )
        request.first.FromDatetime(first)
        request.last.FromDatetime(last)
        return (await ask(self._stub.BackfillSchedule, request)).backfill

    async def cancel_backfill(self, schedule: str, backfill: str) -> None:
        request = pb.CancelBackfillRequest(workspace=self._workspace, schedule=schedule, backfill=backfill)
        await ask(self._stub.CancelBackfill, request)

    async def list(self) -> list[pb.Schedule]:
        """All of them, by name."""
        found: list[pb.Schedule] = []
        token = ""
        while True:
            request = pb.ListSchedulesRequest(workspace=self._workspace, page_size=_PAGE, page_token=token)
            page = await ask(self._stub.ListSchedules, request)
            found.extend(page.schedules)
            token = page.next_page_token
            if not token:
                return found


class Triggers:
    """Triggers of one workspace: what starts runs on events."""

    def __init__(self, channel: grpc.aio.Channel, workspace: str) -> None:
        self._stub = TriggerServiceStub(channel)
        self._workspace = workspace

    async def create(self, trigger: str, settings: TriggerSettings) -> trigger_pb.CreateTriggerResponse:
        """The trigger, and the secret of its webhook: it is shown here and never again."""
        request = trigger_pb.CreateTriggerRequest(
            workspace=self._workspace,
            trigger=trigger,
            settings=messages.to_message(settings, events.TriggerSettings),
        )
        return await ask(self._stub.CreateTrigger, request)

    async def get(self, trigger: str) -> trigger_pb.Trigger:
        request = trigger_pb.GetTriggerRequest(workspace=self._workspace, trigger=trigger)
        return (await ask(self._stub.GetTrigger, request)).trigger

    async def update(self, trigger: str, settings: TriggerSettings) -> trigger_pb.Trigger:
        """Replace the settings as a whole; the secret stays."""
        request = trigger_pb.UpdateTriggerRequest(
            workspace=self._workspace,
            trigger=trigger,
            settings=messages.to_message(settings, events.TriggerSettings),
        )
        return (await ask(self._stub.UpdateTrigger, request)).trigger

    async def delete(self, trigger: str) -> None:
        request = trigger_pb.DeleteTriggerRequest(workspace=self._workspace, trigger=trigger)
        await ask(self._stub.DeleteTrigger, request)

    async def history(self, trigger: str, *, limit: int = 0, before: int = 0) -> list[pb.HistoryEntry]:
        """Why it did or did not fire, newest first; only entries before that version where one is given."""
        request = trigger_pb.ListTriggerHistoryRequest(
            workspace=self._workspace, trigger=trigger, limit=limit, before_version=before
        )
        return list((await ask(self._stub.ListTriggerHistory, request)).entries)

    async def fire(self, trigger: str, event: Mapping[str, Json]) -> trigger_pb.FireTriggerResponse:
        """Give it a CloudEvent; the same source and id give the same run."""
        request = trigger_pb.FireTriggerRequest(
            workspace=self._workspace, trigger=trigger, event=msgspec.json.encode(event)
        )
        return await ask(self._stub.FireTrigger, request)

    async def list(self) -> list[trigger_pb.Trigger]:
        """All of them, by name."""
        found: list[trigger_pb.Trigger] = []
        token = ""
        while True:
            request = trigger_pb.ListTriggersRequest(
                workspace=self._workspace, page_size=_PAGE, page_token=token
            )
            page = await ask(self._stub.ListTriggers, request)
            found.extend(page.triggers)
            token = page.next_page_token
            if not token:
                return found
