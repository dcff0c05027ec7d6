"""What can be said of steps that a forecast did not reach: those behind something that is made anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import UNSET

from foldline.domain import caching, paths
from foldline.domain.keys import fixed_parts, identity, parts_of
from foldline.domain.recall import Index, has_run
from foldline.domain.references import required_steps
from foldline.domain.run import RunState, StepState
from foldline.domain.spec import WORK_KINDS, Step
from foldline.domain.values import Unresolvable


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a step. Mirror of the message in foldline.api.scheduler.v1."""

    step: str
    action: str  # "reuse", "run", "skip", "ask", "hold", "unknown"
    reason: str = ""
    items_reused: int = 0
    items_run: int = 0


def outlook(state: RunState, found: Mapping[str, PlannedStep], known: Index) -> tuple[PlannedStep, ...]:
    """Every step in the graph's order, `found` as it is; `state` is the run played as far as reuse goes."""
    return _Outlook(state, found, known).all()


class _Outlook:
    def __init__(self, state: RunState, found: Mapping[str, PlannedStep], known: Index) -> None:
        self._state = state
        self._known = known
        self._past: _Past | None = None
        self._planned: dict[str, PlannedStep] = dict(found)
        self._cause: dict[str, str] = {}
        self._sure: set[str] = set()  # they complete, if nothing fails

    def all(self) -> tuple[PlannedStep, ...]:
        for place in self._state.plan.order:
            step = self._state.steps[place]
            if step.name not in self._planned:
                action, reason = self._of(place, step)
                self._planned[step.name] = PlannedStep(step=step.name, action=action, reason=reason)
            if step.status == "completed" or self._planned[step.name].action in ("reuse", "run"):
                self._sure.add(step.name)
        return tuple(self._planned[step.name] for step in self._state.steps)

    def _of(self, place: int, step: StepState) -> tuple[str, str]:
        declared = self._state.plan.graph.steps[place]
        match step.status:
            case "completed" if step.kind == "condition":
                return "run", f"decided anew: {step.note}"
            case "completed":
                return "reuse", step.note
            case "skipped":
                return "skip", step.note
            case "failed":
                return "skip", f"it cannot run: {step.failure.message if step.failure else ''}"
            case "asking":
                return "ask", f"needs a value for {', '.join(step.asked)}"
        if self._state.is_broken:
            return "unknown", f"the run fails at {self._state.failed_step}"
        if declared.handles:
            return self._handler(step, declared)
        return self._behind(place, step, declared)

    def _handler(self, step: StepState, declared: Step) -> tuple[str, str]:
        if declared.handles == "failure":
            return "unknown", "runs once the run has failed"
        path = paths.path_of(self._state.created.run_id, step.name)
        if self._must_not_run(step, declared, path):
            return "hold", "a handler that is unsafe to run again, and has run before"
        if declared.guards or declared.skip_when is not UNSET or declared.inputs:
            return "unknown", "handlers run anew, once the run has ended"
        return "run", "handlers run anew"

    # -- behind what is made anew -------------------------------------------------------------------

    def _behind(self, place: int, step: StepState, declared: Step) -> tuple[str, str]:
        if not self._state.is_selected(step.name):
            if step.name in self._state.created.given:
                self._sure.add(step.name)
                return "reuse", "its outputs were given"
            return "skip", "unselected"
        because = next(self._skipped_for(declared), None)
        if because is not None:
            return "skip", f"upstream: {because}"
        is_sure = self._is_sure(place, declared)
        if is_sure:
            self._sure.add(step.name)
        self._cause[step.name] = cause = self._cause_of(place)
        why = f"depends on {cause}, which {self._verb(cause)}"
        is_again = bool(self._again(step.name))
        if not step.is_work or not is_sure or not (is_again or self._is_new(declared)):
            return "unknown", why
        if self._must_not_run(step, declared, paths.path_of(self._state.created.run_id, step.name)):
            self._sure.discard(step.name)
            return "hold", f"unsafe to run again, and it has run before; {why}"
        return "run", "asked to run again" if is_again else why

    def _again(self, name: str) -> tuple[str, ...]:
        origin = self._state.created.origin
        return () if origin is UNSET else paths.inside(origin.again, name)

    def _must_not_run(self, step: StepState, declared: Step, path: str) -> bool:
        origin = self._state.created.origin
        if declared.effects != "unsafe" or origin is UNSET or paths.names(origin.allow, step.name):
            return False
        return has_run(self._known, path, "")

    def _skipped_for(self, declared: Step) -> Iterator[str]:
        """Steps because of which it is skipped, whatever the others do."""
        for guard in declared.guards:
            condition = self._state.step(guard.step)
            if condition.skipped_for == "unselected":
                continue
            if self._planned[guard.step].action == "skip":
                yield guard.step
            elif condition.status == "completed" and condition.answer is not guard.branch:
                yield guard.step
        for name in required_steps(declared):
            if self._planned[name].action == "skip" and self._state.step(name).skipped_for != "unselected":
                yield name

    def _is_sure(self, place: int, declared: Step) -> bool:
        """Is it certain that the step is reached, if nothing fails?"""
        if declared.skip_when is not UNSET:
            return False
        if any(self._state.step(guard.step).status != "completed" for guard in declared.guards):
            return False
        names = [self._state.steps[other].name for other in self._state.plan.needs[place]]
        settled = [name for name in names if self._planned[name].action != "skip"]
        lacking = {one.name for one in self._state.plan.graph.parameters if one.delayed}
        lacking -= self._state.parameters.keys()
        if lacking & {one.parameter for one in declared.inputs.values() if one.parameter is not UNSET}:
            return False
        return bool(settled) and all(name in self._sure for name in settled)

    def _is_new(self, declared: Step) -> bool:
        """Is it certain that no equal attempt is known, whatever the steps before it give?

        Of the declared cache nobody can say: other runs fill it.
        """
        if caching.reads(self._state, declared.name):
            return False
        if self._past is None:
            self._past = _Past(self._known)
        fixed = _encoded(fixed_parts(self._state, declared))
        if fixed not in self._past.fixed:
            return True
        for name, binding in declared.inputs.items():
            try:
                value = _encoded(identity(self._state, binding))
            except Unresolvable:
                continue
            if (fixed, name, value) not in self._past.inputs:
                return True
        return False

    def _cause_of(self, place: int) -> str:
        """The first step upstream of which nothing is known for good."""
        for other in self._state.plan.needs[place]:
            name = self._state.steps[other].name
            if self._planned[name].action not in ("reuse", "skip") and not self._is_decided(name):
                return self._cause.get(name, name)
        return self._state.steps[self._state.plan.needs[place][0]].name

    def _is_decided(self, name: str) -> bool:
        return self._state.step(name).status == "completed"

    def _verb(self, name: str) -> str:
        match self._planned[name].action:
            case "ask":
                return "asks"
            case "hold":
                return "is held"
            case "run":
                return "is made anew"
            case _:
                return "is not known yet"


class _Past:
    """What equal attempts there may be: by their code, and by every single input."""

    def __init__(self, known: Index) -> None:
        self.fixed: set[bytes] = set()
        self.inputs: set[tuple[bytes, str, bytes]] = set()
        for by_root in known.equal.values():
            for found in by_root.values():
                declared = found.state.plan.step(found.step)
                if declared.kind not in WORK_KINDS:
                    continue
                fixed = _encoded(fixed_parts(found.state, declared))
                self.fixed.add(fixed)
                for name, value in parts_of(found.state, found.step)["inputs"].items():
                    self.inputs.add((fixed, name, _encoded(value)))


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")
