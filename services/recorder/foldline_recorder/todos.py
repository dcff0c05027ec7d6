"""What waits for a person in a run: questions, parameters that are asked for, held steps.

An event from outside is nobody's task, and nothing can be done in a run that stops or has ended.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, Struct

from foldline.domain.run import StepState
from foldline.domain.spec import Step
from foldline_recorder.records import Record

LARGEST = 500
"""So many todos are listed at most, so no more of one run are kept."""


class TodoView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Mirror of foldline.api.recorder.v1.Todo."""

    run_id: str
    workflow: str
    step: str
    title: str = ""
    kind: str
    prompt: str = ""
    assignee: str = ""
    since: datetime
    deadline: datetime | None = None


class _Question(Struct, frozen=True):
    kind: str
    prompt: str
    since: datetime | None
    assignee: str = ""


def view_todos(record: Record) -> tuple[TodoView, ...]:
    """The oldest of the run, in the order of their age."""
    state = record.state
    if state.is_final or state.status == "stopping":
        return ()
    found = []
    for declared, step in zip(state.plan.graph.steps, state.steps, strict=True):
        question = _question(declared, step)
        if question is None:
            continue
        found.append(
            TodoView(
                run_id=state.created.run_id,
                workflow=state.created.workflow,
                step=step.name,
                title=declared.title,
                kind=question.kind,
                prompt=question.prompt,
                assignee=question.assignee,
                since=question.since or state.created_at,
                deadline=step.deadline,
            )
        )
    return tuple(sorted(found, key=lambda todo: todo.since)[:LARGEST])


def _question(declared: Step, step: StepState) -> _Question | None:
    match step.status:
        case "asking":
            return _Question("parameters", f"needs {', '.join(step.asked)}", step.ready_at)
        case "held":
            since = step.attempts[-1].ended_at if step.attempts else step.ready_at
            return _Question("held", step.note, since)
        case "awaiting" if declared.wait is not UNSET and declared.wait.kind != "event":
            wait = declared.wait
            return _Question(wait.kind, wait.prompt, step.started_at, wait.assignee)
        case _:
            return None
