"""What there is to say about a step besides its status, in one line."""

from __future__ import annotations

from foldline.cli import views
from foldline.cli.views import ChildrenView, StepView


def note(step: StepView) -> str:
    """Its failure before everything else; then what it waits for, how far it is, and its own note."""
    if step.failure is not None:
        return f"{step.failure.message} ({step.failure.reason})"
    parts = [_waits(step), _inside(step.children), _progress(step), _note(step)]
    if step.attempts > 1:
        parts.append(f"attempt {step.attempts}")
    return "; ".join(part for part in parts if part)


def _note(step: StepView) -> str:
    """A step that was reused says from where."""
    return f"{step.note} ({step.reused_from})" if step.reused_from else step.note


def _waits(step: StepView) -> str:
    if step.status == "asking":
        return f"asks for {', '.join(step.asked)}"
    if step.status != "awaiting":
        return ""
    until = f" until {views.moment(step.deadline)}" if step.deadline else ""
    if step.question is None:
        return f"waits for an answer{until}"
    wait = step.question
    if wait.kind == "event":
        return f"waits for the event {wait.event}{until}"
    whom = f" of {wait.assignee}" if wait.assignee else ""
    asked = f": {wait.prompt}" if wait.prompt else ""
    return f"waits for an answer{whom}{until}{asked}"


def _inside(children: ChildrenView | None) -> str:
    """Of a map its items, otherwise the runs."""
    if children is None:
        return ""
    done = children.succeeded + children.failed
    whole = f"{done} of {children.items} items" if children.items else f"{done} of {children.total} runs"
    failed = f", {children.failed} failed" if children.failed else ""
    return f"{whole} done{failed}"


def _progress(step: StepView) -> str:
    if step.status != "running" or not (step.fraction or step.message):
        return ""
    return f"{step.fraction:.0%} {step.message}".rstrip()
