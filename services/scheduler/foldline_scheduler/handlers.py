"""The use cases: starting runs, making runs from earlier ones, and commands on runs.

Any scheduler takes any command. It writes to runs that it owns through their owner; to others by a plain
load-decide-append, and pokes the owner, whose next append would meet the version conflict anyway.
"""

from __future__ import annotations

from contextlib import suppress

from msgspec.structs import replace

from foldline.access import caller
from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.bus import subjects
from foldline.bus.port import Bus
from foldline.chassis import observe
from foldline.chassis.clock import Clock
from foldline.domain.commands import Command, CreateRun
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.outlook import PlannedStep
from foldline.domain.run import RunState
from foldline.domain.run_events import RunCreated
from foldline.domain.waiting import WaitingStep
from foldline.eventstore import facts
from foldline_scheduler import starts
from foldline_scheduler.explanations import Explanations
from foldline_scheduler.forks import Forks
from foldline_scheduler.owner import Owner
from foldline_scheduler.partitions import partition_of
from foldline_scheduler.releases import Releases
from foldline_scheduler.roster import Roster
from foldline_scheduler.streams import mint_run_id


class Handlers:
    def __init__(
        self, owner: Owner, bus: Bus, releases: Releases, forks: Forks, clock: Clock, roster: Roster
    ) -> None:
        self.roster = roster
        self._owner = owner
        self._bus = bus
        self._releases = releases
        self._forks = forks
        self._clock = clock
        self._explanations = Explanations(owner.queue, owner.recalls.waiting, owner.look)

    async def start_run(self, request: pb.StartRunRequest) -> str:
        """The id of the run; with a request id the same request gives the same run."""
        starts.check(request)
        run_id = mint_run_id(request.workspace, request.request_id)
        if not (request.request_id and await self._owner.look(run_id) is not None):
            await self.start(request, run_id)
        return run_id

    async def start(self, request: pb.StartRunRequest, run_id: str, causes: tuple[str, ...] = ()) -> None:
        """Start this very run, to which these triggers led; one that is there already stays as it is.

        Raises EXHAUSTED where no more are to be started now.
        """
        self.require_room(request.workspace)
        created = await starts.created(request, run_id, self._releases, self.state)
        await self._create(replace(created, causes=causes))

    def require_room(self, workspace: str) -> None:
        """Raises EXHAUSTED where no more runs of the workspace are to be started now."""
        self._owner.queue.backlog.require(workspace, self._owner.writing)

    async def fork_run(self, request: pb.ForkRunRequest) -> str:
        """Make a run from an earlier one, which stays as it is."""
        starts.check_request_id(request.request_id)
        starts.check_priority(request.priority)
        self.require_room(request.workspace)
        origin = await self.state(request.workspace, request.run_id)
        run_id = mint_run_id(request.workspace, request.request_id)
        if not (request.request_id and await self._owner.look(run_id) is not None):
            await self._create(await self._forks.created(origin, request.fork, run_id, request.priority))
        return run_id

    async def plan_fork(self, request: pb.PlanForkRequest) -> tuple[PlannedStep, ...]:
        origin = await self.state(request.workspace, request.run_id)
        return await self._forks.plan(origin, request.fork)

    async def explain_waiting(self, request: pb.ExplainWaitingRequest) -> list[WaitingStep]:
        """Why each step that does not run does not, of the run and the runs inside it."""
        state = await self.state(request.workspace, request.run_id)
        return await self._explanations.of(state, self._clock.now())

    async def command(self, workspace: str, run_id: str, command: Command) -> None:
        """Carry out a command on a run of the workspace. Raises NOT_FOUND and what the rules refuse."""
        await self.state(workspace, run_id)
        await self._carry_out(run_id, command, _meta(workspace))

    async def state(self, workspace: str, run_id: str) -> RunState:
        """The run's state as of now. Raises NOT_FOUND, also for a run of another workspace."""
        state = await self._owner.look(run_id)
        if state is None or state.created.workspace != workspace:
            message = f"workspace {workspace} has no run {run_id}"
            raise FoldlineError(Kind.NOT_FOUND, "UNKNOWN_RUN", message)
        return state

    async def _create(self, created: RunCreated) -> None:
        try:
            await self._carry_out(created.run_id, CreateRun(created), _meta(created.workspace))
        except FoldlineError as error:
            if error.reason != "RUN_EXISTS":
                raise

    async def _carry_out(self, run_id: str, command: Command, meta: facts.Meta) -> None:
        if self._owner.owns(run_id):
            await self._owner.command(run_id, command, meta)
            return
        await self._owner.write_foreign(run_id, command, meta)
        with suppress(FoldlineError):  # the owner looks for itself every now and then
            await self._bus.publish(subjects.poke(partition_of(run_id)), run_id.encode())


def _meta(workspace: str) -> facts.Meta:
    """Who and why of a command: the caller, and the request that brought it."""
    return facts.Meta(
        actor=caller().subject,
        workspace=workspace,
        correlation=observe.correlation(),
        trace=observe.trace(),
    )
