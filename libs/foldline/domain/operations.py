"""What people and programs may do to a run: stop, stop a step, pause, resume, retry, give values.

Each operation has a state in which it makes sense; in any other it is refused with the rule, and nothing
changes. Asking twice for the same thing is not an error where the second time changes nothing.
"""

from __future__ import annotations

from foldline.domain import parameters
from foldline.domain import run_events as ev
from foldline.domain.commands import PauseRun, ProvideParameters, RequestStop, ResumeRun, RetrySteps, StopStep
from foldline.domain.decision import Decision, Refused
from foldline.domain.reports import go_on, go_on_all
from foldline.domain.run import RunState, StepState, counts_as_failed, is_more_than_borne
from foldline.domain.settle import after, finish, settle_all
from foldline.domain.spec import Json

RETRYABLE = frozenset({"failed", "held", "stopped"})


def request_stop(decision: Decision, command: RequestStop) -> None:
    """Stop the run: gracefully at first; asked for again with force, everything is killed."""
    state = decision.state
    if state.is_final:
        raise Refused("RUN_ENDED", f"the run is {state.status} already; there is nothing to stop")
    if state.forced or (not command.forced and state.status in ("stopping", "ending")):
        return
    decision.add(ev.RunStopRequested(reason=command.reason, forced=command.forced))
    go_on_all(decision)
    finish(decision)


def stop_step(decision: Decision, command: StopStep) -> None:
    step = decision.step(command.step)
    _require_open(decision.state, "stopped")
    if step.is_final:
        raise Refused("STEP_ENDED", f"step {step.name} is {step.status} already; there is nothing to stop")
    if step.status == "stopping":
        return
    is_active = step.is_active
    if step.status == "waiting" and (step.open_needs or not decision.state.is_in_play(step)):
        raise Refused("STEP_NOT_STARTED", f"step {step.name} waits for other steps; it has not begun")
    decision.add(ev.StepStopRequested(step=step.name, reason=command.reason))
    if not is_active:
        decision.add(ev.StepStopped(step=step.name))
    elif step.children is not None and not step.children.open:
        go_on(decision, step.name)
    after(decision, step.name)


def pause(decision: Decision, command: PauseRun) -> None:
    state = decision.state
    _require_open(state, "paused")
    if state.status == "paused":
        return
    if state.status not in ("created", "running"):
        raise Refused("RUN_ENDING", f"the run is {state.status}; it cannot be paused any more")
    decision.add(ev.RunPaused(reason=command.reason, by_parent=command.by_parent))


def resume(decision: Decision, command: ResumeRun) -> None:
    """A run inside a step that was paused by hand does not go on because the run around it does."""
    state = decision.state
    if command.by_parent and not (state.status == "paused" and state.paused_by_parent):
        return
    _require_open(state, "resumed")
    if state.status != "paused":
        raise Refused("NOT_PAUSED", f"the run is {state.status}, not paused")
    decision.add(ev.RunResumed())
    go_on_all(decision)
    settle_all(decision)


def provide(decision: Decision, command: ProvideParameters) -> None:
    """Values of delayed parameters, before or while a step asks for them; not once a step has used them."""
    state = decision.state
    _require_open(state, "given values")
    delayed = tuple(one for one in state.plan.graph.parameters if one.delayed)
    values = _fitting(decision.state, command.values, tuple(one.name for one in delayed))
    if not values:
        raise Refused("NO_VALUES", "no values were given")
    if any(name in state.parameters and state.parameters[name] != value for name, value in values.items()):
        names = ", ".join(name for name in values if name in state.parameters)
        raise Refused("VALUE_GIVEN", f"{names} has a value already; a retry may change it")
    if all(name in state.parameters for name in values):
        return
    decision.add(ev.ParametersProvided(values=values))
    settle_all(decision)


def retry(decision: Decision, command: RetrySteps) -> None:
    """Let failed, held or stopped steps run once more, with other values if given; the rest stays."""
    state = decision.state
    names = command.steps or _all_retryable(state)
    for name in names:
        step = state.step(name)
        if not _is_retryable(state, step):
            message = (
                f"step {name} is {step.status}; only one that failed, is held or was stopped can be retried"
            )
            raise Refused("NOT_RETRYABLE", message)
    is_for_handlers = state.status == "ending" and all(state.plan.step(name).handles for name in names)
    if state.status in ("completed", "stopping", "ending") and not is_for_handlers:
        raise Refused("RUN_ENDING", f"the run is {state.status}; retry it once it has ended")
    if state.is_final and state.is_part:
        parent = state.created.parent
        assert parent, "is_part says so"
        raise Refused(
            "RUN_IS_A_PART", f"the run is a part of another: retry step {parent.step} of {parent.run_id}"
        )
    _require_start(state, names)
    values = _fitting(state, command.values, tuple(one.name for one in state.plan.graph.parameters))
    if state.is_final:
        decision.add(ev.RunReopened(reason=command.reason))
    if values:
        decision.add(ev.ParametersProvided(values=values))
    for name in names:
        if decision.step(name).status in RETRYABLE:
            decision.add(ev.StepRetried(step=name, reason=command.reason))
    settle_all(decision)


def _all_retryable(state: RunState) -> tuple[str, ...]:
    """What a retry without names is of. Naming an unsafe step is the explicit yes that it needs."""
    found = [one.name for one in state.steps if _is_retryable(state, one)]
    safe = tuple(name for name in found if not _is_unsafe(state, name))
    if not found:
        raise Refused(
            "NOTHING_TO_RETRY", f"the run is {state.status}, and no step of it failed, is held or stopped"
        )
    if not safe:
        names = ", ".join(found)
        message = f"{names}: unsafe to run again, so a retry has to name each of them"
        raise Refused("UNSAFE_STEP", message)
    return safe


def _is_unsafe(state: RunState, name: str) -> bool:
    """May it have had its effect? One that is held need not have run here: it may have in an earlier run."""
    step = state.step(name)
    return state.plan.step(name).effects == "unsafe" and (bool(step.attempts) or step.status == "held")


def _require_start(state: RunState, names: tuple[str, ...]) -> None:
    """Nothing starts while more has failed than the run bears: such steps are retried together."""
    left = [
        place
        for place, one in enumerate(state.steps)
        if counts_as_failed(state, one) and one.name not in names
    ]
    if is_more_than_borne(state, frozenset(place // state.unit_size for place in left)):
        others = ", ".join(state.steps[place].name for place in left)
        message = f"{others} failed, too, and nothing is started while a step has: retry them together"
        raise Refused("OTHERS_FAILED", message)


def _is_retryable(state: RunState, step: StepState) -> bool:
    """Handlers run anew whenever the main part ends, except for one that is held. What had not begun when its
    run ended shows as stopped, and begins in the run that goes on."""
    if state.plan.step(step.name).handles and step.status != "held":
        return False
    return step.status in RETRYABLE


def _fitting(state: RunState, values: dict[str, Json], names: tuple[str, ...]) -> dict[str, Json]:
    """The values in their types. Raises INVALID_PARAMETERS for a name that is not among `names`."""
    declared = [one for one in state.plan.graph.parameters if one.name in names]
    return parameters.check_partial(declared, values)


def _require_open(state: RunState, done: str) -> None:
    if state.is_final:
        raise Refused("RUN_ENDED", f"the run is {state.status} already; it cannot be {done} any more")
