"""What somebody may type next for a step that waits for a person."""

from __future__ import annotations

from collections.abc import Iterable

from foldline.cli.views import RunView, StepView


def command(kind: str, run_id: str, step: str, *, names: Iterable[str] = ()) -> str:
    """The command that answers a todo of this kind. `names`: fields, choices, parameters, or the event."""
    known = list(names)
    match kind:
        case "approve":
            return f"foldline answer {run_id} {step} --yes"
        case "choose":
            return f"foldline answer {run_id} {step} --choose {'|'.join(known) or 'CHOICE'}"
        case "values":
            return f"foldline answer {run_id} {step} {_settings(known)}"
        case "parameters":
            return f"foldline provide {run_id} {_settings(known)}"
        case "event":
            return f"foldline signal {run_id} {known[0] if known else 'EVENT'}"
        case _:
            return f"foldline retry {run_id} {step}"


def commands(view: RunView) -> dict[str, str]:
    """By step: what goes on with it."""
    found = ((step.name, _of_step(view.run_id, step)) for step in view.steps.values())
    return {name: text for name, text in found if text}


def lines(view: RunView) -> list[str]:
    """The same as sentences."""
    found = [f"{step} waits for you: {text}" for step, text in commands(view).items()]
    inside = [step.name for step in view.steps.values() if step.children is not None]
    if inside:
        found.append(f"runs inside {', '.join(inside)}: foldline runs --children-of {view.run_id}")
    return found


def _of_step(run_id: str, step: StepView) -> str:
    if step.status == "asking":
        return command("parameters", run_id, step.name, names=step.asked)
    if step.status == "held":
        return command("held", run_id, step.name)
    if step.status != "awaiting" or step.question is None:
        return ""
    wait = step.question
    names = {"choose": wait.choices, "event": (wait.event,)}.get(wait.kind)
    return command(wait.kind, run_id, step.name, names=names or (field.name for field in wait.fields))


def _settings(names: Iterable[str]) -> str:
    return " ".join(f"--set {name}=VALUE" for name in list(names) or ["NAME"])
