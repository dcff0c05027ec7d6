"""What `make bench JSON=1` prints, without measuring anything."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.bench import hops, made
from tests.bench.__main__ import isolations_of, options_of
from tests.bench.cases import CASES
from tests.bench.ledger import Fact
from tests.bench.results import Against, Result, line, percentile
from tests.bench.table import table

from foldline.domain.evolve import fold

FLOORS = {"commit_one_row": 0.4, "nats_request": 0.6}


def a_line(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "case": "chain",
        "isolation": "shared",
        "measures": {"ms_per_step": [3.0, 1.0, 2.0]},
        "facts": {"steps": 100, "warm": True},
        "against": Against(2.0, ("commit_one_row", "nats_request")),
    }
    return line(Result(**fields | changes), FLOORS, {"cores": 2})


def test_the_cases_are_those_of_the_aims() -> None:
    assert list(CASES) == [
        *("chain", "fan", "many", "start", "map", "cold"),
        *("idle", "memory", "disk", "replay", "plan"),
    ]


def test_a_line_is_flat_and_names_case_isolation_measure_and_conditions() -> None:
    read = json.loads(json.dumps(a_line()))

    assert read == {
        "case": "chain",
        "isolation": "shared",
        "ms_per_step": {"median": 2.0, "min": 1.0, "max": 3.0, "n": 3},
        "steps": 100,
        "warm": True,
        "floor": {"names": ["commit_one_row", "nats_request"], "ms": 1.0},
        "ratio_to_floor": 2.0,
        "floors_ms": FLOORS,
        "conditions": {"cores": 2},
    }


def test_a_floor_that_was_not_measured_gives_no_ratio() -> None:
    assert "ratio_to_floor" not in a_line(against=Against(2.0, ("fork",)))


def test_cases_are_picked_by_name_with_commas() -> None:
    options = options_of(["--json", "--case", "chain,plan", "--isolation", "shared", "--repeats", "2"])

    assert (options.case, options.isolation, options.repeats) == (["chain", "plan"], "shared", 2)


def test_an_unknown_case_is_refused_with_the_names_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options_of(["--case", "chian"])

    assert "no case chian; there are chain, fan" in capsys.readouterr().err


def test_a_case_that_depends_on_isolation_is_measured_in_both_unless_one_is_picked() -> None:
    assert isolations_of("chain", None) == ("shared", "fresh")
    assert isolations_of("chain", "fresh") == ("fresh",)
    assert isolations_of("plan", None) == ("fresh",)


def test_the_hops_of_a_step_add_up_to_its_time() -> None:
    output = {"output": {"value": [10.004, 10.005]}}
    facts = [
        Fact("RunCreated", 10.0, {}),
        Fact("StepScheduled", 10.001, {"step": "a"}),
        Fact("AttemptSucceeded", 10.007, {"step": "a", "outputs": output, "seconds": 0.002}),
    ]

    split = {name: samples[0] for name, samples in hops.hops_ms(facts).items()}

    assert split == pytest.approx(
        {"queue": 1, "commit_deliver_start": 3, "user": 1, "report": 2, "executor": 2}, abs=1e-3
    )


def test_a_step_that_was_begun_ahead_has_no_hops_of_its_own() -> None:
    def succeeded(step: str, began: float, at: float) -> Fact:
        output = {"output": {"value": [began, began + 0.0001]}}
        return Fact("AttemptSucceeded", at, {"step": step, "outputs": output})

    facts = [
        Fact("RunCreated", 10.0, {}),
        Fact("StepScheduled", 10.001, {"step": "a"}),
        succeeded("a", 10.004, 10.008),
        Fact("StepScheduled", 10.008, {"step": "b"}),
        succeeded("b", 10.006, 10.008),
    ]

    assert hops.ahead(facts) == 1
    assert hops.per_step_ms(facts) == pytest.approx([2.0], abs=1e-3)
    assert {len(samples) for samples in hops.hops_ms(facts).values()} == {1}


def test_a_percentile_is_a_sample() -> None:
    assert percentile([float(number) for number in range(1, 201)], 0.95) == 190
    assert percentile([7.0], 0.95) == 7


def test_the_table_shows_every_measure_with_its_aim_and_the_floors() -> None:
    shown = table([a_line(), a_line(case="fan", measures={"steps_per_s": [10.0]}, against=None)])

    rows = [row.split() for row in shown.splitlines()]
    assert ["chain", "shared", "ms_per_step", "2", "1", "3", "3", "<=", "2.0", "2.0"] in rows
    assert ["fan", "shared", "steps_per_s", "10", "10", "10", "1", ">=", "2500"] in rows
    assert ["nats_request", "0.6", "ms"] in rows


def test_the_made_run_is_one_that_the_rules_accept() -> None:
    history = made.history(made.created("run", "w", 250))

    state = fold(history)

    assert state.status == "completed"
    assert {step.status for step in state.steps} == {"completed"}
    assert history[1][1] - history[0][1] == timedelta(microseconds=1)
