"""What a run decides by itself: skipping, answering conditions, opening waits, beginning inner runs, ending.

`settle` looks at steps that may have become ready and follows what that leads to; `finish` ends the run,
or its main part, when nothing of it can move any more. Both are called after every change, so each is
cheap where nothing follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from msgspec import UNSET

from foldline.domain import conditions, inner
from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact
from foldline.domain.decision import Decision
from foldline.domain.failures import Failure
from foldline.domain.references import merges, operands, other_steps, parameters, required_steps
from foldline.domain.run import RunState, StepState, wants_recall
from foldline.domain.spec import Step
from foldline.domain.values import Unresolvable, input_of, output_of


def settle(decision: Decision, places: Iterable[int]) -> None:
    """Decide what needs nobody else, from `places` onwards, until nothing moves; then perhaps end the run."""
    queue = list(places)
    for place in queue:
        if not _may_start(decision.state, place):
            continue
        _own_decision(decision, decision.state.steps[place].name)
        if decision.state.steps[place].is_final:
            queue.extend(decision.state.plan.feeds[place])  # the list is the queue
    finish(decision)


def settle_all(decision: Decision) -> None:
    """The same from every step on: after something that may let any of them start."""
    settle(decision, range(len(decision.state.steps)))


def after(decision: Decision, step: str) -> None:
    """What follows once `step` may have ended."""
    place = decision.state.plan.index[step]
    if decision.state.steps[place].is_final:
        settle(decision, decision.state.plan.feeds[place])
    else:
        finish(decision)


def fail(decision: Decision, step: str, kind: str, reason: str, message: str) -> None:
    failure = Failure(kind=kind, reason=reason, message=message)
    decision.add(ev.StepFailed(step=step, failure=failure))


def _may_start(state: RunState, place: int) -> bool:
    step = state.steps[place]
    return state.takes_work and step.status == "waiting" and not step.open_needs and state.is_in_play(step)


def _own_decision(decision: Decision, name: str) -> None:
    """Move a waiting step as far as it goes by itself."""
    state, step, declared = decision.state, decision.step(name), decision.declared(name)
    if not state.is_selected(name):
        _leave_out(decision, name)
        return
    try:
        skipped = _skip(state, step, declared)
        lacking = _lacking(state, declared)
        if skipped is None and not _asks_first(declared, lacking):
            skipped = _skip_by_condition(state, declared)
        if skipped is not None:
            decision.add(skipped)
            return
        if lacking:
            decision.add(ev.ParametersRequested(step=name, parameters=lacking))
            return
        _begin(decision, step, declared)
    except Unresolvable as error:
        fail(decision, name, "invalid", error.reason, error.message)


def _leave_out(decision: Decision, name: str) -> None:
    """The run is of other steps; an earlier run may have given what this one would have."""
    given = decision.state.created.given.get(name)
    if given is None:
        decision.add(ev.StepSkipped(step=name, reason="unselected"))
    else:
        reason = f"taken from run {given.run_id}" if given.run_id else "its outputs were given"
        decision.add(ev.StepReused(step=name, reuse=given, reason=reason))


def _begin(decision: Decision, step: StepState, declared: Step) -> None:
    """Everything before the step has ended, nothing skips it, and its parameters are there."""
    state = decision.state
    if declared.condition is not UNSET:
        result, explanation = conditions.answer(state, declared.condition)
        decision.add(ev.ConditionDecided(step=step.name, result=result, explanation=explanation))
        return
    for binding in declared.inputs.values():
        input_of(state, binding)
    if wants_recall(state, step):
        return
    if declared.wait is not UNSET:
        seconds = declared.wait.deadline_seconds
        deadline = decision.now + timedelta(seconds=seconds) if seconds else UNSET
        decision.add(ev.WaitOpened(step=step.name, deadline=deadline))
    elif not step.is_work:
        inner.expand(decision, step.name)


def _lacking(state: RunState, declared: Step) -> tuple[str, ...]:
    """Delayed parameters that the step needs and nobody has given yet."""
    delayed = {one.name for one in state.plan.graph.parameters if one.delayed}
    if not delayed:
        return ()
    names = dict.fromkeys(name for name in parameters(declared) if name in delayed)
    return tuple(name for name in names if name not in state.parameters and name not in state.inputs)


def _skip(state: RunState, step: StepState, declared: Step) -> ev.StepSkipped | None:
    """Skipped by a guard, or because what it needs was skipped or did not succeed."""
    if declared.handles and declared.handles != "exit" and state.outcome != "failed":
        return ev.StepSkipped(step=step.name, reason="handler", because=f"the run {state.outcome}")
    return _skip_by_guard(state, declared) or _skip_by_upstream(state, step, declared)


def _asks_first(declared: Step, lacking: tuple[str, ...]) -> bool:
    """Does the skip condition itself look at a parameter that nobody has given yet?"""
    if declared.skip_when is UNSET or not lacking:
        return False
    return any(operand.parameter in lacking for operand in operands(declared.skip_when))


def _skip_by_condition(state: RunState, declared: Step) -> ev.StepSkipped | None:
    if declared.skip_when is UNSET:
        return None
    holds, explanation = conditions.answer_of_skip(state, declared.skip_when)
    return ev.StepSkipped(step=declared.name, reason="condition", because=explanation) if holds else None


def _skip_by_guard(state: RunState, declared: Step) -> ev.StepSkipped | None:
    for guard in declared.guards:
        condition = state.step(guard.step)
        if condition.skipped_for == "unselected":
            continue
        if condition.is_lost:
            return ev.StepSkipped(step=declared.name, reason="failed", because=guard.step)
        if condition.status != "completed":
            return ev.StepSkipped(step=declared.name, reason="upstream", because=guard.step)
        if condition.answer is not guard.branch:
            return ev.StepSkipped(step=declared.name, reason="guard", because=guard.step)
    return None


def _skip_by_upstream(state: RunState, step: StepState, declared: Step) -> ev.StepSkipped | None:
    """What did not succeed takes everything behind it along, however far behind; what was skipped only what
    needs its outputs, or has nothing else before it."""
    needs = [state.steps[other] for other in state.plan.needs[state.plan.index[step.name]]]
    required = set(required_steps(declared))
    if declared.handles:
        missing = [name for name in required if state.step(name).status != "completed"]
        if missing:
            return ev.StepSkipped(step=step.name, reason="upstream", because=missing[0])
        return None
    lost = [one.name for one in needs if one.is_lost]
    because = next((name for name in lost if not _is_replaced(state, declared, name)), None)
    if because is not None:
        return ev.StepSkipped(step=step.name, reason="failed", because=because)
    skipped = [one.name for one in needs if one.status == "skipped" and one.skipped_for != "unselected"]
    because = next((name for name in skipped if name in required), None)
    if because is None and skipped and len(skipped) == len(needs) and not any(merges(declared)):
        because = skipped[0]
    if because is None:
        return None
    return ev.StepSkipped(step=step.name, reason="upstream", because=because)


def _is_replaced(state: RunState, declared: Step, name: str) -> bool:
    """Is the step to this one nothing but an alternative of merges, each of which another one serves?"""
    if name in other_steps(declared):
        return False
    return all(
        any(one.name in state.step(one.step).outputs for one in merge.outputs)
        for merge in merges(declared)
        if any(one.step == name for one in merge.outputs)
    )


# -- ending ----------------------------------------------------------------------------------------


def finish(decision: Decision) -> None:
    """End the run, or its main part, when nothing of it can move any more."""
    state = decision.state
    if state.is_final or state.steps.active:
        return
    if state.status == "ending":
        if not state.open_steps or state.forced:
            _end(decision, state.outcome)
        return
    if state.is_broken or (state.open_steps == 0 and state.has_failed):
        _end_main(decision, "failed")
    elif state.open_steps == 0:
        _end_main(decision, "stopped" if _was_stopped(state) else "completed")
    elif state.status == "stopping":
        _end_main(decision, "stopped")


def _was_stopped(state: RunState) -> bool:
    """Has a step been stopped? In a map's child that only fails its item, unless all of it was stopped."""
    if state.created.items and state.status != "stopping":
        return False
    return any(step.status == "stopped" for step in state.steps)


def _end_main(decision: Decision, outcome: str) -> None:
    state = decision.state
    wanted = ("failure", "exit") if outcome == "failed" else ("exit",)
    if state.forced or not any(one.handles in wanted for one in state.plan.graph.steps):
        _end(decision, outcome)
        return
    if state.status == "paused":
        return  # handlers are something new; resuming comes back here
    failure = state.first_failure if outcome == "failed" else None
    step = state.failed_step if outcome == "failed" else ""
    decision.add(ev.RunEnding(outcome=outcome, step=step, failure=failure or UNSET))
    settle(decision, state.plan.handlers)


def _end(decision: Decision, outcome: str) -> None:
    state, workflow = decision.state, decision.state.created.workflow
    if outcome == "failed":
        failure = state.first_failure
        assert failure is not None, "a run fails because a step did"
        decision.add(ev.RunFailed(step=state.failed_step, failure=failure, workflow=workflow))
    elif outcome == "completed":
        decision.add(ev.RunCompleted(outputs=_outputs(state), workflow=workflow))
    else:
        decision.add(ev.RunStopped(workflow=workflow))


def _outputs(state: RunState) -> dict[str, Artifact]:
    if state.created.items:
        return inner.outputs_of_items(state)
    outputs = {}
    for name, binding in state.plan.graph.outputs.items():
        try:
            outputs[name] = output_of(state, binding)
        except Unresolvable:
            continue  # of a skipped step there is none
    return outputs
