"""What an executor may begin ahead of the ledger, once the attempt before it has succeeded (docs/adr/0013).

Only where nothing but that success stands between: no condition, no person, no cache, no clock to be asked,
nobody else's result, the same needs. And only a pure step: where its executor is lost before the ledger has
heard of it, it is begun again under the same number, and nobody must be able to tell. Whoever holds the order
tells `Report.goes_on`; the decision on that report schedules the attempt, or leaves it out.
"""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from foldline.domain import run_events as ev
from foldline.domain.decision import Decision
from foldline.domain.run import RunState, StepState, is_ready, may_want_recall
from foldline.domain.spec import Binding, Step
from foldline.domain.values import input_of
from foldline.domain.work import AttemptKey, Input, Report, Work

MOST_AHEAD = 32
"""Attempts that one order goes on with."""


def chain(state: RunState, first: Work) -> Work:
    """The order with what may come after it."""
    if not state.takes_work or may_want_recall(state):
        return first
    found: list[Work] = []
    passed = {first.key.step}
    place: int | None = state.place(first.key.step)
    while place is not None and len(found) < MOST_AHEAD:
        place = next((one for one in state.plan.feeds[place] if _follows(state, place, one, passed)), None)
        if place is not None:
            step = state.plan.graph.steps[place]
            found.append(_order(state, step, first, passed))
            passed.add(step.name)
    return replace(first, ahead=tuple(found)) if found else first


def take_up(decision: Decision, report: Report) -> None:
    """The session of `report` has begun what comes after it: so it is scheduled there, if it may be."""
    key = report.goes_on
    if (
        key is UNSET
        or key.run_id != decision.state.created.run_id
        or key.step not in decision.state.plan.index
    ):
        return
    if decision.step(report.key.step).parameters is not None:
        return  # the run's have changed since the order was written
    step = decision.step(key.step)
    if is_ready(decision.state, step, decision.now) and len(step.attempts) + 1 == key.attempt:
        decision.add(ev.StepScheduled(step=step.name, attempt=key.attempt, executor=report.session))


def is_early(state: RunState, report: Report) -> bool:
    """Was the attempt begun on a success that the ledger may still learn of?"""
    if report.after is UNSET or report.after.step not in state.plan.index:
        return False
    before = state.step(report.after.step)
    return before.is_active and len(before.attempts) == report.after.attempt


def _follows(state: RunState, place: int, other: int, passed: set[str]) -> bool:
    before, declared, step = state.plan.graph.steps[place], state.plan.graph.steps[other], state.steps[other]
    return (
        step.status == "waiting"
        and step.open_needs <= len(passed)  # quick where very many are waited for
        and not step.attempts
        and _is_plain(declared)
        and _is_alike(before, declared)
        and all(_is_known(state, binding) for binding in declared.inputs.values())
        and state.is_selected(declared.name)
        and all(_is_done(state.steps[need], passed) for need in state.plan.needs[other])
    )


def _is_plain(step: Step) -> bool:
    return (
        step.kind == "function"
        and step.effects == "pure"
        and not step.guards
        and step.skip_when is UNSET
        and not step.handles
        and not step.max_active
        and step.ranks <= 1
    )


def _is_known(state: RunState, binding: Binding) -> bool:
    """Are whole outputs or values meant, and nothing that somebody may still have to give?"""
    if binding.parameter is not UNSET:
        return binding.parameter in state.parameters or binding.parameter in state.inputs
    return binding.value is not UNSET or (binding.output is not UNSET and not binding.output.path)


def _is_alike(before: Step, step: Step) -> bool:
    return before.resources == step.resources and before.isolation == step.isolation


def _is_done(step: StepState, passed: set[str]) -> bool:
    return step.status == "completed" or step.name in passed


def _order(state: RunState, step: Step, first: Work, passed: set[str]) -> Work:
    """As `assignments.work_for` makes it, but for the outputs that are not there yet."""
    key = AttemptKey(run_id=first.key.run_id, step=step.name, attempt=1)
    inputs = {name: _input(state, binding, passed) for name, binding in step.inputs.items()}
    return replace(
        first,
        key=key,
        function=step.function,
        inputs=inputs,
        outputs=step.outputs,
        timeouts=step.timeouts,
        allow_pickle=step.allow_pickle,
        checkpoint=UNSET,
        effects=step.effects,
        ahead=(),
    )


def _input(state: RunState, binding: Binding, passed: set[str]) -> Input:
    if binding.output is not UNSET and binding.output.step in passed:
        return Input(output=binding.output)
    return input_of(state, binding)
