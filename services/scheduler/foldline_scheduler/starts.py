"""The first event of a run that somebody starts: whole, or only some steps of the workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.domain import parameters, selection
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState
from foldline.domain.run_events import RunCreated
from foldline.domain.spec import Graph, Json
from foldline.wire import messages
from foldline_scheduler.releases import Releases, Resolved

LOWEST_PRIORITY, HIGHEST_PRIORITY = -100, 100
CACHE_MODES = ("", "off", "read_only", "refresh")
MAX_REQUEST_ID = 64

Find = Callable[[str, str], Awaitable[RunState]]
"""The state of a run of a workspace. Raises NOT_FOUND."""


def check(request: pb.StartRunRequest) -> None:
    """Raises INVALID for what no start may ask for."""
    check_request_id(request.request_id)
    check_priority(request.priority)
    if request.cache not in CACHE_MODES:
        message = f"cache is {request.cache!r}, but must be one of {', '.join(CACHE_MODES[1:])}, or empty"
        raise FoldlineError(Kind.INVALID, "ILLEGAL_CACHE", message)


def check_request_id(request_id: str) -> None:
    if len(request_id) > MAX_REQUEST_ID:
        message = f"request_id has at most {MAX_REQUEST_ID} characters"
        raise FoldlineError(Kind.INVALID, "REQUEST_ID_TOO_LONG", message)


def check_priority(priority: int) -> None:
    if not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        message = f"priority is {priority}, but must be {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}"
        raise FoldlineError(Kind.INVALID, "ILLEGAL_PRIORITY", message)


async def created(request: pb.StartRunRequest, run_id: str, releases: Releases, find: Find) -> RunCreated:
    """What exactly runs. Raises what the registry refuses, and INVALID for a selection that cannot run."""
    chosen = request.selection
    is_partial = request.HasField("selection")
    resolved = await releases.resolve(
        request.workspace,
        request.workflow,
        messages.from_struct(request.values),
        allow_missing=is_partial,
    )
    graph = resolved.code.graph
    steps = selection.select(graph, chosen.only, getattr(chosen, "from"), chosen.until, chosen.scene)
    earlier = await find(request.workspace, chosen.inputs_from) if chosen.inputs_from else None
    given = _given(graph, steps, earlier)
    selection.require(graph, steps, given)
    return RunCreated(
        run_id=run_id,
        workspace=request.workspace,
        workflow=request.workflow,
        release=resolved.code.release,
        region=resolved.region,
        graph=graph,
        parameters=_values(request, steps, resolved) if is_partial else resolved.parameters,
        bundle=resolved.code.bundle,
        environment=resolved.code.environment,
        selection=steps,
        given=given,
        cache=request.cache,
        priority=request.priority,
    )


def _values(request: pb.StartRunRequest, steps: tuple[str, ...], resolved: Resolved) -> dict[str, Json]:
    """Only the parameters that the selected steps look at are asked for."""
    wanted = selection.parameters_of(resolved.code.graph, steps, resolved.parameters)
    missing = parameters.missing(wanted, resolved.parameters)
    if missing:
        names = ", ".join(missing)
        message = (
            f"the selected steps of workflow {request.workflow} need values for {names}: configure them or "
            "give them at the start"
        )
        raise FoldlineError(Kind.PRECONDITION, "PARAMETERS_MISSING", message, missing=",".join(missing))
    return parameters.check(wanted, resolved.parameters)


def _given(graph: Graph, steps: tuple[str, ...], earlier: RunState | None) -> dict[str, Reuse]:
    """What an earlier run of any release gave under the names of steps that do not run now."""
    if earlier is None or not steps:
        return {}
    found = {}
    for step in graph.steps:
        if step.name in steps or step.name not in earlier.plan.index:
            continue
        before = earlier.step(step.name)
        if before.status == "completed" and before.kind != "condition":
            found[step.name] = Reuse(
                run_id=earlier.created.run_id,
                step=step.name,
                attempt=len(before.attempts),
                outputs=before.outputs,
                metrics=before.metrics,
            )
    return found
