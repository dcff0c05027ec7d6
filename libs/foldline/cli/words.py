"""Events of a run in a few words, for histories and for who watches without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from foldline.cli import views

Data = Mapping[str, Any]


def describe(type_: str, data: Data) -> str:
    """An event in a few words, without the step's name. An event of a later version has its type alone."""
    say = _WORDS.get(type_)
    return type_ if say is None else say(data)


def _failure(data: Data) -> str:
    failure = data.get("failure") or {}
    return f"{failure.get('message', '')} ({failure.get('reason', '')})"


def _because(data: Data, field: str = "reason") -> str:
    """The reason behind a colon, where there is one."""
    return f": {data[field]}" if data.get(field) else ""


def _names(values: Mapping[str, Any]) -> str:
    return ", ".join(sorted(values)) or "nothing"


# -- attempts --------------------------------------------------------------------------------------


def _progressed(data: Data) -> str:
    kept = " (checkpoint stored)" if data.get("checkpoint") else ""
    return f"{data.get('fraction', 0.0):.0%}{_because(data, 'message')}{kept}"


def _ignored(data: Data) -> str:
    return f"late report ({data.get('report')}) of attempt {data.get('attempt', 0)} ignored{_because(data)}"


# -- steps -----------------------------------------------------------------------------------------


def _decided(data: Data) -> str:
    return f"decided: {'yes' if data.get('result') else 'no'} ({data.get('explanation', '')})"


def _skipped(data: Data) -> str:
    because = f": {data['because']}" if data.get("because") else ""
    return f"skipped ({data.get('reason')}{because})"


def _reused(data: Data) -> str:
    reuse = data.get("reuse") or {}
    attempt = f", attempt {reuse['attempt']}" if reuse.get("attempt") else ""
    return f"reused from run {reuse.get('run_id')}, step {reuse.get('step')}{attempt}{_because(data)}"


def _opened(data: Data) -> str:
    until = f" until {data['deadline']}" if data.get("deadline") else ""
    return f"waits for an answer{until}"


def _answered(data: Data) -> str:
    outputs = data.get("outputs") or {}
    given = ", ".join(f"{name}={_value(outputs[name])}" for name in sorted(outputs))
    return f"answered{f': {given}' if given else ''}"


def _value(artifact: Mapping[str, Any]) -> str:
    if "value" not in artifact:
        return f"{artifact.get('type', 'something')}, {views.amount(artifact.get('size_bytes', 0))}"
    text = views.json_text(artifact["value"])
    return text if len(text) <= 60 else f"{text[:59]}…"


# -- runs inside a step ----------------------------------------------------------------------------


def _expanded(data: Data) -> str:
    sizes = data.get("sizes") or ()
    attempt = f"attempt {data.get('attempt', 0)} began"
    return f"{attempt}: {sum(map(int, sizes))} items in {len(sizes)} runs" if sizes else attempt


def _child_ended(data: Data) -> str:
    counts = f"{data.get('succeeded', 0)} succeeded, {data.get('failed', 0)} failed"
    why = f": {_failure(data)}" if data.get("failure") else ""
    return f"run {data.get('index', 0)} inside it {data.get('status', 'ended')} ({counts}){why}"


# -- the run ---------------------------------------------------------------------------------------


def _stop_requested(data: Data) -> str:
    return f"{'stop by force' if data.get('forced') else 'stop'} asked for{_because(data)}"


def _ending(data: Data) -> str:
    why = f": {_failure(data)}" if data.get("failure") else ""
    return f"main part {data.get('outcome', 'ended')}, its handlers run{why}"


def _created(data: Data) -> str:
    origin, parent = data.get("origin"), data.get("parent")
    if parent:
        return f"run inside step {parent.get('step')} of run {parent.get('run_id')} created"
    made = f" ({origin.get('kind')} of run {origin.get('run_id')})" if origin else ""
    return f"run of {data.get('workflow')} created{made}"


_WORDS: Mapping[str, Callable[[Data], str]] = {
    "RunCreated": _created,
    "StepScheduled": lambda data: f"attempt {data.get('attempt', 0)} given to {data.get('executor')}",
    "AttemptStarted": lambda data: f"attempt {data.get('attempt', 0)} started",
    "AttemptProgressed": _progressed,
    "AttemptSucceeded": lambda data: f"completed in {views.seconds(data.get('seconds', 0.0))}",
    "AttemptFailed": lambda data: f"attempt {data.get('attempt', 0)} failed: {_failure(data)}",
    "RetryScheduled": lambda data: f"attempt {data.get('attempt', 0)} from {data.get('at')}",
    "ReportIgnored": _ignored,
    "ConditionDecided": _decided,
    "StepSkipped": _skipped,
    "StepReused": _reused,
    "ReuseDeclined": lambda data: f"nothing to reuse{_because(data)}",
    "StepFailed": lambda data: f"failed: {_failure(data)}",
    "StepHeld": lambda data: f"held until a person decides: {_failure(data)}",
    "StepStopRequested": lambda data: f"stop of the step asked for{_because(data)}",
    "StepStopped": lambda _: "stopped",
    "StepRetried": lambda data: f"retried by hand{_because(data)}",
    "ParametersRequested": lambda data: f"asks for {', '.join(data.get('parameters') or ())}",
    "ParametersProvided": lambda data: f"values given for {_names(data.get('values') or {})}",
    "WaitOpened": _opened,
    "WaitAnswered": _answered,
    "WaitExpired": lambda data: f"nobody answered in time: {data.get('action')}",
    "StepExpanded": _expanded,
    "ChildStarted": lambda data: f"run {data.get('index', 0)} inside it started",
    "ChildEnded": _child_ended,
    "RunPaused": lambda data: f"paused{_because(data)}",
    "RunResumed": lambda _: "resumed",
    "RunStopRequested": _stop_requested,
    "RunReopened": lambda data: f"run opened again{_because(data)}",
    "RunEnding": _ending,
    "RunCompleted": lambda _: "run completed",
    "RunFailed": lambda data: f"run failed: {_failure(data)}",
    "RunStopped": lambda _: "run stopped",
}
