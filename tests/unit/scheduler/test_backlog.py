"""The backlog: runs that wait count, once each and per workspace; beyond the bound nothing is started."""

from __future__ import annotations

import pytest

from foldline.domain.errors import FoldlineError, Kind
from foldline_scheduler.backlog import UNWRITTEN, Backlog


def filled(most: int, **waiting: int) -> Backlog:
    backlog = Backlog(most)
    for workspace, count in waiting.items():
        for number in range(count):
            backlog.note(workspace, f"{workspace}-{number}", waits=True)
    return backlog


def test_a_workspace_that_fills_its_half_leaves_the_other_to_others() -> None:
    backlog = filled(10, flood=5)

    with pytest.raises(FoldlineError, match="workspace flood has 5 runs") as refusal:
        backlog.require("flood", 0)
    backlog.require("small", 0)

    assert (refusal.value.kind, refusal.value.reason) == (Kind.EXHAUSTED, "TOO_MANY_RUNS")
    assert refusal.value.retry_seconds


def test_nobody_starts_anything_when_all_of_it_is_taken() -> None:
    backlog = filled(6, a=2, b=2, c=2)

    with pytest.raises(FoldlineError, match="the installation has 6 runs"):
        backlog.require("d", 0)


def test_a_run_that_waits_no_more_makes_room() -> None:
    backlog = filled(4, a=2)

    backlog.note("a", "a-0", waits=False)
    backlog.note("a", "a-0", waits=False)

    backlog.require("a", 0)
    assert backlog.of("a") == 1


def test_runs_inside_a_run_count_as_that_run() -> None:
    backlog = filled(4)
    for inner in ("r", "r.each.1.0", "r.each.1.1"):
        backlog.note("a", inner, waits=True)

    backlog.note("a", "r.each.1.0", waits=False)

    assert backlog.of("a") == 1


def test_a_ledger_that_is_behind_is_given_no_more_runs() -> None:
    with pytest.raises(FoldlineError, match="the ledger is behind") as refusal:
        filled(10).require("a", UNWRITTEN)

    assert refusal.value.kind is Kind.EXHAUSTED
