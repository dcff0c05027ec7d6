"""What runs wait for: people's answers, values, events from outside; and why a step does not run."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from foldline.api.recorder.v1 import recorder_service_pb2 as recorder
from foldline.api.recorder.v1.recorder_service_pb2_grpc import RecorderServiceStub
from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from foldline.domain.spec import Json
from foldline.sdk.calls import ask
from foldline.wire import messages


class Waits:
    """Questions and reasons of runs of one workspace. Ids are whole ones."""

    def __init__(self, channel: grpc.aio.Channel, workspace: str) -> None:
        self._scheduler = SchedulerServiceStub(channel)
        self._recorder = RecorderServiceStub(channel)
        self._workspace = workspace

    async def todos(self, limit: int = 50) -> list[recorder.Todo]:
        """Steps that wait for a person, in all runs of the workspace, oldest first; 500 at most."""
        request = recorder.ListTodosRequest(workspace=self._workspace, page_size=limit)
        return list((await ask(self._recorder.ListTodos, request)).todos)

    async def explain(self, run_id: str) -> list[pb.WaitingStep]:
        """Why each step that is not running is not, also in the runs inside it."""
        request = pb.ExplainWaitingRequest(workspace=self._workspace, run_id=run_id)
        return list((await ask(self._scheduler.ExplainWaiting, request)).steps)

    async def approve(self, run_id: str, step: str, approved: bool, *, comment: str = "") -> None:
        """Say yes or no to a step that asks for it."""
        await self._answer(self._request(run_id, step, comment, approved=approved))

    async def choose(self, run_id: str, step: str, choice: str, *, comment: str = "") -> None:
        """Take one of the choices that a step offers."""
        await self._answer(self._request(run_id, step, comment, choice=choice))

    async def fill(self, run_id: str, step: str, values: Mapping[str, Json], *, comment: str = "") -> None:
        """Fill the fields that a step asks for."""
        await self._answer(self._request(run_id, step, comment, values=messages.to_struct(values)))

    async def provide(self, run_id: str, values: Mapping[str, Json]) -> None:
        """Give values of parameters that are asked for during the run."""
        request = pb.ProvideParametersRequest(
            workspace=self._workspace, run_id=run_id, values=messages.to_struct(values)
        )
        await ask(self._scheduler.ProvideParameters, request)

    async def deliver(self, run_id: str, event: str, data: Json = None) -> None:
        """Deliver an event to the steps of the run that wait for it."""
        request = pb.DeliverEventRequest(
            workspace=self._workspace, run_id=run_id, event=event, data=messages.to_value(data)
        )
        await ask(self._scheduler.DeliverEvent, request)

    async def _answer(self, request: pb.AnswerWaitRequest) -> None:
        await ask(self._scheduler.AnswerWait, request)

    def _request(self, run_id: str, step: str, comment: str, **answer: object) -> pb.AnswerWaitRequest:
        return pb.AnswerWaitRequest(
            workspace=self._workspace,
            run_id=run_id,
            step=step,
            comment=comment,
            **answer,  # type: ignore[arg-type]  # one of the oneof's, by name
        )
