"""What must hold of the histories of all runs once nothing moves any more, whatever was done to the platform.

Believes the ledger, the artifact store and the witness alone. Pure: everything is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

import msgspec

from foldline.cli.chaos.attempts import Holds, check_attempts, check_outputs, check_unsafe
from foldline.cli.chaos.families import check_families, result_of
from foldline.cli.chaos.finding import Finding
from foldline.cli.chaos.histories import ENDS
from foldline.domain import run_events as ev
from foldline.domain.errors import FoldlineError
from foldline.domain.evolve import fold
from foldline.eventstore import chain, facts
from foldline.eventstore.port import Recorded


class Expected(msgspec.Struct, frozen=True):
    """How a run must end, and its output `result` where it completes."""

    status: str
    result: int


def check(
    histories: Mapping[str, Sequence[Recorded]],
    expected: Mapping[str, Expected],
    witnessed: Iterable[str],
    holds: Holds,
) -> list[Finding]:
    """Everything that is wrong. `histories` by run id, the runs inside steps too; `expected` is by the id of
    each run that was started; `witnessed` are the names of the witness' files.
    """
    called = Counter(witnessed)
    findings: list[Finding] = []
    decoded: dict[str, list[ev.RunEvent]] = {}
    for run_id, events in histories.items():
        if events:
            findings += _run(run_id, events, called, holds, decoded)
    for run_id, one in expected.items():
        findings += _outcome(run_id, decoded.get(run_id, ()), one)
    findings += check_families(decoded)
    for name in called:
        if name.endswith(":again"):
            run_id, step, attempt = name.removesuffix(":again").rsplit(":", 2)
            message = f"attempt {attempt} of step {step} was called twice"
            findings.append(Finding(run_id, "STARTED_TWICE", message))
    return findings


def _run(
    run_id: str,
    events: Sequence[Recorded],
    called: Mapping[str, int],
    holds: Holds,
    decoded: dict[str, list[ev.RunEvent]],
) -> Iterator[Finding]:
    flaw = chain.verify(events)
    if flaw is not None:
        yield Finding(run_id, "CHAIN", flaw.problem)
    try:
        history = decoded[run_id] = [cast("ev.RunEvent", facts.decode(one)) for one in events]
        state = fold(zip(history, (one.time for one in events), strict=True))
    except FoldlineError as error:
        yield Finding(run_id, "ILLEGAL_HISTORY", error.message)
        return
    yield from check_attempts(run_id, history, called)
    yield from check_outputs(run_id, history, holds)
    yield from check_unsafe(run_id, history, called)
    waiting = ", ".join(f"{one.name} is {one.status}" for one in state.steps if not one.is_final)
    if not state.is_final:
        yield Finding(run_id, "STUCK", f"it is {state.status}: {waiting}"[:500])
    elif waiting:
        yield Finding(run_id, "LEFT_OPEN", f"it is {state.status}: {waiting}"[:500])


def _outcome(run_id: str, history: Sequence[ev.RunEvent], expected: Expected) -> Iterator[Finding]:
    if not history:
        yield Finding(run_id, "LOST", "it was started, and the ledger has nothing of it")
        return
    # A report that came too late is recorded and ignored, also behind the end.
    last = next(one for one in reversed(history) if not isinstance(one, ev.ReportIgnored))
    if ENDS.get(type(last).__name__) != expected.status:
        why = f", of {last.step}: {last.failure.message}" if isinstance(last, ev.RunFailed) else ""
        yield Finding(run_id, "WRONG_END", f"its last event is {type(last).__name__}{why}"[:500])
    elif isinstance(last, ev.RunCompleted) and result_of(last, "result") != expected.result:
        problem = f"it is {result_of(last, 'result')!r} instead of {expected.result}"
        yield Finding(run_id, "WRONG_RESULT", problem)
