"""ScheduleService: the use cases of schedules, and their answers."""
# ruff: noqa: N802 - the names in the proto

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from foldline.api.event.v1 import schedule_events_pb2 as events
from foldline.api.scheduler.v1 import schedule_service_pb2 as pb
from foldline.api.scheduler.v1.schedule_service_pb2_grpc import ScheduleServiceServicer
from foldline.chassis.clock import new_id
from foldline.domain import names
from foldline.domain import schedules as rules
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.schedule_events import (
    BackfillRequested,
    ScheduleCreated,
    ScheduleEvent,
    ScheduleSettings,
)
from foldline.domain.schedules import ScheduleState
from foldline.wire import messages
from foldline_scheduler.schedules import desk
from foldline_scheduler.schedules.desk import Desk, Registry
from foldline_scheduler.schedules.streams import schedule_stream
from foldline_scheduler.schedules.views import Views

NEXT_TIMES = 5

Decide = Callable[[ScheduleState, datetime], Sequence[ScheduleEvent]]


class ScheduleServicer(ScheduleServiceServicer):
    def __init__(self, at: Desk[ScheduleState], views: Views, registry: Registry) -> None:
        self._desk = at
        self._views = views
        self._registry = registry

    async def CreateSchedule(
        self, request: pb.CreateScheduleRequest, _context: Any
    ) -> pb.CreateScheduleResponse:
        settings = await self._settings(request)
        created = ScheduleCreated(
            workspace=request.workspace, schedule=names.schedule(request.schedule), settings=settings
        )
        state = await self._desk.write(
            _stream(request), request.workspace, lambda state, now: rules.create(state, created, now)
        )
        return pb.CreateScheduleResponse(schedule=self._schedule(state))

    async def GetSchedule(self, request: pb.GetScheduleRequest, _context: Any) -> pb.GetScheduleResponse:
        stream = await self._desk.open(_stream(request))
        state = rules.require(stream.state, request.workspace, request.schedule)
        return pb.GetScheduleResponse(schedule=self._schedule(state))

    async def ListSchedules(
        self, request: pb.ListSchedulesRequest, _context: Any
    ) -> pb.ListSchedulesResponse:
        size = desk.page_size(request.page_size)
        after = names.schedule(request.page_token) if request.page_token else ""
        found = await self._views.schedules(request.workspace, after=after, limit=size + 1)
        return pb.ListSchedulesResponse(
            schedules=[self._schedule(state) for state in found[:size]],
            next_page_token=found[size - 1].schedule if len(found) > size else "",
        )

    async def UpdateSchedule(
        self, request: pb.UpdateScheduleRequest, _context: Any
    ) -> pb.UpdateScheduleResponse:
        settings = await self._settings(request)
        state = await self._write(request, lambda state, now: rules.change(state, settings, now))
        return pb.UpdateScheduleResponse(schedule=self._schedule(state))

    async def PauseSchedule(
        self, request: pb.PauseScheduleRequest, _context: Any
    ) -> pb.PauseScheduleResponse:
        state = await self._write(request, lambda state, now: rules.pause(state, request.reason, now))
        return pb.PauseScheduleResponse(schedule=self._schedule(state))

    async def ResumeSchedule(
        self, request: pb.ResumeScheduleRequest, _context: Any
    ) -> pb.ResumeScheduleResponse:
        return pb.ResumeScheduleResponse(schedule=self._schedule(await self._write(request, rules.resume)))

    async def DeleteSchedule(
        self, request: pb.DeleteScheduleRequest, _context: Any
    ) -> pb.DeleteScheduleResponse:
        await self._write(request, rules.delete)
        return pb.DeleteScheduleResponse()

    async def ListScheduleHistory(
        self, request: pb.ListScheduleHistoryRequest, _context: Any
    ) -> pb.ListScheduleHistoryResponse:
        stream = await self._desk.open(_stream(request))
        if stream.state is None:
            rules.require(None, request.workspace, request.schedule)
        entries = await self._desk.history(stream, before=request.before_version, limit=request.limit)
        return pb.ListScheduleHistoryResponse(entries=entries)

    async def BackfillSchedule(
        self, request: pb.BackfillScheduleRequest, _context: Any
    ) -> pb.BackfillScheduleResponse:
        if not (request.HasField("first") and request.HasField("last")):
            raise FoldlineError(Kind.INVALID, "ILLEGAL_BACKFILL", "a backfill names its first and last time")
        requested = BackfillRequested(
            backfill=new_id(),
            first=messages.to_time(request.first),
            last=messages.to_time(request.last),
            parallelism=request.parallelism or 1,
        )
        await self._write(request, lambda state, now: rules.request_backfill(state, requested, now))
        return pb.BackfillScheduleResponse(backfill=requested.backfill)

    async def CancelBackfill(
        self, request: pb.CancelBackfillRequest, _context: Any
    ) -> pb.CancelBackfillResponse:
        await self._write(request, lambda state, _now: rules.cancel_backfill(state, request.backfill))
        return pb.CancelBackfillResponse()

    async def _settings(
        self, request: pb.CreateScheduleRequest | pb.UpdateScheduleRequest
    ) -> ScheduleSettings:
        """The settings of a request, by the rules and by the registry."""
        settings = rules.prepared(messages.from_message(request.settings, ScheduleSettings))
        later = [settings.time_parameter] if settings.time_parameter else []
        await self._registry.check(request.workspace, settings.workflow, settings.values, later=later)
        return settings

    async def _write(self, request: Any, decide: Decide) -> ScheduleState:
        """Append what `decide` says of a schedule that is there."""
        workspace, name = request.workspace, request.schedule

        def decided(state: ScheduleState | None, now: datetime) -> Sequence[ScheduleEvent]:
            return decide(rules.require(state, workspace, name), now)

        return await self._desk.write(_stream(request), workspace, decided)

    def _schedule(self, state: ScheduleState) -> pb.Schedule:
        now = self._desk.clock.now()
        reply = pb.Schedule(
            workspace=state.workspace,
            name=state.schedule,
            settings=messages.to_message(state.settings, events.ScheduleSettings),
            paused=state.is_paused,
            pause_reason=state.pause_reason,
            next_times=[_time(at) for at in rules.next_times(state, now, NEXT_TIMES)],
            open_runs=[firing.run_id for firing in state.open],
            backfills=[_backfill(state, one) for one in state.backfills],
            create_time=_time(state.created_at),
            update_time=_time(state.updated_at),
        )
        if state.waiting is not None:
            reply.waiting.FromDatetime(state.waiting)
        if state.last is not None:
            reply.last_time.FromDatetime(state.last.at)
            reply.last_run_id = state.last.run_id
        return reply


def _backfill(state: ScheduleState, backfill: rules.BackfillState) -> pb.Backfill:
    return pb.Backfill(
        id=backfill.backfill,
        first=_time(backfill.first),
        last=_time(backfill.last),
        parallelism=backfill.parallelism,
        fired=backfill.fired,
        open=state.of_backfill(backfill.backfill),
    )


def _stream(request: Any) -> str:
    return schedule_stream(names.workspace(request.workspace), names.schedule(request.schedule))


def _time(at: datetime) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(at)
    return found
