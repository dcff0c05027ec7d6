"""TriggerService: the use cases of triggers, and their answers."""
# ruff: noqa: N802 - the names in the proto

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from foldline.api.event.v1 import schedule_events_pb2 as events
from foldline.api.scheduler.v1 import trigger_service_pb2 as pb
from foldline.api.scheduler.v1.trigger_service_pb2_grpc import TriggerServiceServicer
from foldline.domain import names
from foldline.domain import triggers as rules
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.schedule_events import ScheduleEvent, TriggerCreated, TriggerSettings
from foldline.domain.triggers import TriggerState, Verdict
from foldline.wire import messages
from foldline_scheduler.schedules import desk, filters
from foldline_scheduler.schedules.desk import Desk, Registry
from foldline_scheduler.schedules.stream import Stream
from foldline_scheduler.schedules.streams import trigger_stream
from foldline_scheduler.schedules.triggers import Triggers
from foldline_scheduler.schedules.views import Views

SECRET_BYTES = 32

Decide = Callable[[TriggerState], Sequence[ScheduleEvent]]


class TriggerServicer(TriggerServiceServicer):
    def __init__(self, at: Desk[TriggerState], views: Views, registry: Registry, triggers: Triggers) -> None:
        self._desk = at
        self._views = views
        self._registry = registry
        self._triggers = triggers

    async def CreateTrigger(
        self, request: pb.CreateTriggerRequest, _context: Any
    ) -> pb.CreateTriggerResponse:
        secret = secrets.token_urlsafe(SECRET_BYTES)
        created = TriggerCreated(
            workspace=request.workspace,
            trigger=names.trigger(request.trigger),
            settings=await self._settings(request),
            secret_digest=_digest(secret),
        )
        state = await self._desk.write(
            _stream(request), request.workspace, lambda state, _now: rules.create(state, created)
        )
        return pb.CreateTriggerResponse(trigger=_trigger(state), secret=secret)

    async def GetTrigger(self, request: pb.GetTriggerRequest, _context: Any) -> pb.GetTriggerResponse:
        return pb.GetTriggerResponse(trigger=_trigger((await self._open(request))[1]))

    async def ListTriggers(self, request: pb.ListTriggersRequest, _context: Any) -> pb.ListTriggersResponse:
        size = desk.page_size(request.page_size)
        after = names.trigger(request.page_token) if request.page_token else ""
        found = await self._views.triggers(request.workspace, after=after, limit=size + 1)
        return pb.ListTriggersResponse(
            triggers=[_trigger(state) for state in found[:size]],
            next_page_token=found[size - 1].trigger if len(found) > size else "",
        )

    async def UpdateTrigger(
        self, request: pb.UpdateTriggerRequest, _context: Any
    ) -> pb.UpdateTriggerResponse:
        settings = await self._settings(request)
        state = await self._write(request, lambda state: rules.change(state, settings))
        return pb.UpdateTriggerResponse(trigger=_trigger(state))

    async def DeleteTrigger(
        self, request: pb.DeleteTriggerRequest, _context: Any
    ) -> pb.DeleteTriggerResponse:
        await self._write(request, rules.delete)
        return pb.DeleteTriggerResponse()

    async def ListTriggerHistory(
        self, request: pb.ListTriggerHistoryRequest, _context: Any
    ) -> pb.ListTriggerHistoryResponse:
        stream = await self._desk.open(_stream(request))
        if stream.state is None:
            rules.require(None, request.workspace, request.trigger)
        entries = await self._desk.history(stream, before=request.before_version, limit=request.limit)
        return pb.ListTriggerHistoryResponse(entries=entries)

    async def FireTrigger(self, request: pb.FireTriggerRequest, _context: Any) -> pb.FireTriggerResponse:
        stream, state = await self._open(request)
        run_id, verdict = await self._take(stream, state, request.event)
        return pb.FireTriggerResponse(run_id=run_id, reason=verdict.reason, message=verdict.message)

    async def ReceiveEvent(self, request: pb.ReceiveEventRequest, _context: Any) -> pb.ReceiveEventResponse:
        """A wrong secret and a trigger that is not there look the same."""
        try:
            stream, state = await self._open(request)
        except FoldlineError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            raise _refused() from error
        if not hmac.compare_digest(_digest(request.secret), state.secret_digest):
            raise _refused()
        run_id, verdict = await self._take(stream, state, request.event)
        return pb.ReceiveEventResponse(run_id=run_id, reason=verdict.reason, message=verdict.message)

    async def _take(
        self, stream: Stream[TriggerState], state: TriggerState, event: bytes
    ) -> tuple[str, Verdict]:
        self._triggers.require_room(state.workspace)  # its sender is told, and comes again
        verdict, causes = await self._triggers.judge(stream.name, state, event)
        run_id = await self._triggers.take(stream, verdict, causes, desk.meta(state.workspace))
        self._triggers.note(stream.name)
        return run_id, verdict

    async def _open(self, request: Any) -> tuple[Stream[TriggerState], TriggerState]:
        stream = await self._desk.open(_stream(request))
        return stream, rules.require(stream.state, request.workspace, request.trigger)

    async def _settings(self, request: pb.CreateTriggerRequest | pb.UpdateTriggerRequest) -> TriggerSettings:
        """The settings of a request, by the rules, by CEL and by the registry."""
        settings = messages.from_message(request.settings, TriggerSettings)
        settings = rules.prepared(settings, names.workspace(request.workspace))
        filters.check(settings)
        await self._registry.check(
            request.workspace, settings.workflow, settings.values, later=list(settings.parameters)
        )
        return settings

    async def _write(self, request: Any, decide: Decide) -> TriggerState:
        """Append what `decide` says of a trigger that is there."""
        workspace, name = request.workspace, request.trigger

        def decided(state: TriggerState | None, _now: datetime) -> Sequence[ScheduleEvent]:
            return decide(rules.require(state, workspace, name))

        return await self._desk.write(_stream(request), workspace, decided)


def _trigger(state: TriggerState) -> pb.Trigger:
    reply = pb.Trigger(
        workspace=state.workspace,
        name=state.trigger,
        settings=messages.to_message(state.settings, events.TriggerSettings),
        hook=f"/hooks/{state.workspace}/{state.trigger}",
        open_runs=[fired.run_id for fired in state.open],
        last_run_id=state.last_run_id,
    )
    reply.create_time.FromDatetime(state.created_at)
    reply.update_time.FromDatetime(state.updated_at)
    if state.last_at is not None:
        reply.last_time.FromDatetime(state.last_at)
    return reply


def _stream(request: Any) -> str:
    return trigger_stream(names.workspace(request.workspace), names.trigger(request.trigger))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _refused() -> FoldlineError:
    return FoldlineError(
        Kind.UNAUTHENTICATED,
        "SECRET_WRONG",
        "the bearer token is not the secret of a trigger at this address",
    )
