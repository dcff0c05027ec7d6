"""What may be done to a run while it goes on, and after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from foldline.domain.spec import Json
from foldline.sdk.calls import ask
from foldline.wire import messages


class Operations:
    """Commands on runs of one workspace, also on runs inside steps. Ids are whole ones.

    What the run's state does not allow is refused (PRECONDITION) with the rule, and changes nothing.
    """

    def __init__(self, channel: grpc.aio.Channel, workspace: str) -> None:
        self._scheduler = SchedulerServiceStub(channel)
        self._workspace = workspace

    async def stop(self, run_id: str, reason: str = "", *, forced: bool = False) -> None:
        """Ask the run to stop; with `forced` its processes are killed at once, handlers too."""
        request = pb.StopRunRequest(workspace=self._workspace, run_id=run_id, reason=reason, forced=forced)
        await ask(self._scheduler.StopRun, request)

    async def stop_step(self, run_id: str, step: str, reason: str = "") -> None:
        """Stop one step; the rest of the run goes on."""
        request = pb.StopStepRequest(workspace=self._workspace, run_id=run_id, step=step, reason=reason)
        await ask(self._scheduler.StopStep, request)

    async def pause(self, run_id: str, reason: str = "") -> None:
        """Start nothing new from now on; what runs goes on."""
        request = pb.PauseRunRequest(workspace=self._workspace, run_id=run_id, reason=reason)
        await ask(self._scheduler.PauseRun, request)

    async def resume(self, run_id: str) -> None:
        """Start again what is ready."""
        await ask(self._scheduler.ResumeRun, pb.ResumeRunRequest(workspace=self._workspace, run_id=run_id))

    async def retry(
        self,
        run_id: str,
        steps: Sequence[str] = (),
        *,
        values: Mapping[str, Json] | None = None,
        reason: str = "",
    ) -> None:
        """Let steps run once more in the same run (none named: all that failed, are held or were stopped).

        `values` are parameters that count from now on. What succeeded is not repeated.
        """
        request = pb.RetryStepsRequest(
            workspace=self._workspace,
            run_id=run_id,
            steps=steps,
            values=messages.to_struct(values or {}),
            reason=reason,
        )
        await ask(self._scheduler.RetrySteps, request)
