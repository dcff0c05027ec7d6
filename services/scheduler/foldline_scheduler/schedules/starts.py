"""Starting and stopping runs in the name of a schedule or trigger, with a token made for the occasion."""

from __future__ import annotations

from collections.abc import Mapping

from foldline.access import identity, tokens
from foldline.access.identity import Caller
from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.chassis import observe
from foldline.chassis.clock import Clock, new_id
from foldline.chassis.settings import Secret
from foldline.domain.commands import RequestStop
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.inner import root_id
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Json
from foldline.eventstore import facts
from foldline.eventstore.port import EventStore
from foldline.wire import messages
from foldline_scheduler.handlers import Handlers
from foldline_scheduler.streams import run_stream

ROLE = "operator"
TOKEN_SECONDS = 300


class Starts:
    """The calling task acts in the given name from then on: call it from a task of your own."""

    def __init__(self, handlers: Handlers, store: EventStore, key: Secret, clock: Clock) -> None:
        self._handlers = handlers
        self._store = store
        self._key = key
        self._clock = clock

    def require_room(self, workspace: str) -> None:
        """Raises EXHAUSTED where no more runs of the workspace are to be started now."""
        self._handlers.require_room(workspace)

    async def exists(self, run_id: str) -> bool:
        return bool(await self._store.read_stream(run_stream(run_id), limit=1))

    async def causes(self, run_id: str) -> tuple[str, ...]:
        """The triggers that led to the run, or to the one that it is a part of."""
        recorded = await self._store.read_stream(run_stream(root_id(run_id)), limit=1)
        created = facts.decode(recorded[0]) if recorded else None
        return created.causes if isinstance(created, RunCreated) else ()

    async def start(
        self,
        actor: str,
        workspace: str,
        workflow: str,
        values: Mapping[str, Json],
        run_id: str,
        causes: tuple[str, ...] = (),
    ) -> None:
        """Start this run, once: where it is in the ledger, nothing happens."""
        if await self.exists(run_id):
            return
        self._enter(actor, workspace)
        request = pb.StartRunRequest(
            workspace=workspace, workflow=workflow, values=messages.to_struct(values)
        )
        await self._handlers.start(request, run_id, causes)

    async def stop(self, actor: str, workspace: str, run_id: str, reason: str) -> None:
        """Ask the run to stop; one that has ended, or never was, has nothing to stop."""
        self._enter(actor, workspace)
        try:
            await self._handlers.command(workspace, run_id, RequestStop(reason))
        except FoldlineError as error:
            if error.kind not in (Kind.NOT_FOUND, Kind.PRECONDITION):
                raise

    def _enter(self, actor: str, workspace: str) -> None:
        caller = Caller(actor, {workspace: ROLE})
        token = tokens.issue(
            self._key,
            subject=caller.subject,
            grants=caller.grants,
            ttl_seconds=TOKEN_SECONDS,
            now=self._clock.now(),
        )
        identity.enter(caller, token)
        observe.enter(new_id(), "")
