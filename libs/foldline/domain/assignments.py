"""From a scheduled attempt to the work order that its executor gets."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from foldline.domain.artifacts import Artifact
from foldline.domain.run import RunState, StepState, as_begun
from foldline.domain.values import input_of
from foldline.domain.work import AttemptKey, Work

SLOT_SECONDS = 2.0
"""An order that has waited at its executor for so long is better tried elsewhere."""


def work_for(state: RunState, step: str, partition: int = 0) -> Work:
    """The order for the newest attempt of `step`. The step's inputs were found resolvable when it became
    ready, and what has been produced never changes, so this cannot fail for a scheduled step."""
    declared = state.plan.step(step)
    created, begun = state.created, as_begun(state, step)
    return Work(
        key=AttemptKey(run_id=created.run_id, step=step, attempt=len(state.step(step).attempts)),
        workspace=created.workspace,
        workflow=created.workflow,
        partition=partition,
        function=declared.function,
        command=declared.command,
        isolation=declared.isolation,
        ranks=declared.ranks,
        effects=declared.effects,
        bundle=created.bundle,
        environment=created.environment,
        inputs={name: input_of(begun, binding) for name, binding in declared.inputs.items()},
        outputs=declared.outputs,
        timeouts=declared.timeouts,
        resources=declared.resources,
        allow_pickle=declared.allow_pickle,
        slot_seconds=0.0 if declared.effects == "unsafe" else SLOT_SECONDS,
        checkpoint=_left_behind(state.step(step)),
    )


def _left_behind(step: StepState) -> Artifact | UnsetType:
    """The checkpoint of the newest attempt that has one."""
    if len(step.attempts) < 2:
        return UNSET
    found = (one.checkpoint for one in reversed(step.attempts) if one.checkpoint is not None)
    return next(found, UNSET)
