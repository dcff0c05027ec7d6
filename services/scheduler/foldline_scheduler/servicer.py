"""The gRPC edge: parse, call, reply. No rules."""

# ruff: noqa: N802, ARG002 - names and signatures are gRPC's

from __future__ import annotations

from typing import Any

import grpc
from msgspec import UNSET

from foldline.access import caller
from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer
from foldline.domain.commands import (
    Answer,
    AnswerWait,
    Command,
    DeliverEvent,
    PauseRun,
    ProvideParameters,
    RequestStop,
    ResumeRun,
    RetrySteps,
    StopStep,
)
from foldline.domain.errors import FoldlineError, Kind
from foldline.wire import messages
from foldline_scheduler.handlers import Handlers

Context = grpc.aio.ServicerContext[Any, Any]


class SchedulerServicer(SchedulerServiceServicer):
    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    async def StartRun(self, request: pb.StartRunRequest, context: Context) -> pb.StartRunResponse:
        return pb.StartRunResponse(run_id=await self._handlers.start_run(request))

    async def StopRun(self, request: pb.StopRunRequest, context: Context) -> pb.StopRunResponse:
        await self._do(request, RequestStop(request.reason, request.forced))
        return pb.StopRunResponse()

    async def StopStep(self, request: pb.StopStepRequest, context: Context) -> pb.StopStepResponse:
        await self._do(request, StopStep(request.step, request.reason))
        return pb.StopStepResponse()

    async def PauseRun(self, request: pb.PauseRunRequest, context: Context) -> pb.PauseRunResponse:
        await self._do(request, PauseRun(request.reason))
        return pb.PauseRunResponse()

    async def ResumeRun(self, request: pb.ResumeRunRequest, context: Context) -> pb.ResumeRunResponse:
        await self._do(request, ResumeRun())
        return pb.ResumeRunResponse()

    async def RetrySteps(self, request: pb.RetryStepsRequest, context: Context) -> pb.RetryStepsResponse:
        values = messages.from_struct(request.values)
        await self._do(request, RetrySteps(tuple(request.steps), values, request.reason))
        return pb.RetryStepsResponse()

    async def ProvideParameters(
        self, request: pb.ProvideParametersRequest, context: Context
    ) -> pb.ProvideParametersResponse:
        await self._do(request, ProvideParameters(messages.from_struct(request.values)))
        return pb.ProvideParametersResponse()

    async def AnswerWait(self, request: pb.AnswerWaitRequest, context: Context) -> pb.AnswerWaitResponse:
        await self._do(request, AnswerWait(request.step, _answer(request), caller().subject))
        return pb.AnswerWaitResponse()

    async def DeliverEvent(
        self, request: pb.DeliverEventRequest, context: Context
    ) -> pb.DeliverEventResponse:
        if not request.event:
            raise FoldlineError(Kind.INVALID, "NO_EVENT", "the event has no name")
        data = messages.from_value(request.data)
        await self._do(request, DeliverEvent(request.event, data, caller().subject))
        return pb.DeliverEventResponse()

    async def PlanFork(self, request: pb.PlanForkRequest, context: Context) -> pb.PlanForkResponse:
        planned = await self._handlers.plan_fork(request)
        return pb.PlanForkResponse(steps=[messages.to_message(one, pb.PlannedStep) for one in planned])

    async def ForkRun(self, request: pb.ForkRunRequest, context: Context) -> pb.ForkRunResponse:
        return pb.ForkRunResponse(run_id=await self._handlers.fork_run(request))

    async def ExplainWaiting(
        self, request: pb.ExplainWaitingRequest, context: Context
    ) -> pb.ExplainWaitingResponse:
        found = await self._handlers.explain_waiting(request)
        return pb.ExplainWaitingResponse(steps=[messages.to_message(one, pb.WaitingStep) for one in found])

    async def ListExecutors(
        self, request: pb.ListExecutorsRequest, context: Context
    ) -> pb.ListExecutorsResponse:
        return pb.ListExecutorsResponse(executors=self._handlers.roster.everyone())

    async def DrainExecutor(
        self, request: pb.DrainExecutorRequest, context: Context
    ) -> pb.DrainExecutorResponse:
        asked = await self._handlers.roster.drain(request.executor, undo=request.undo)
        return pb.DrainExecutorResponse(sessions=asked)

    async def _do(self, request: Any, command: Command) -> None:
        await self._handlers.command(request.workspace, request.run_id, command)


def _answer(request: pb.AnswerWaitRequest) -> Answer:
    given = request.WhichOneof("answer")
    return Answer(
        approved=request.approved if given == "approved" else UNSET,
        choice=request.choice,
        values=messages.from_struct(request.values),
        comment=request.comment,
    )
