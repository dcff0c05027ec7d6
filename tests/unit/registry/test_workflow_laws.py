"""Laws of a workflow under any sequence of commands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from foldline.domain import parameters as rules
from foldline.domain.errors import FoldlineError
from foldline.domain.run_events import Event
from foldline.domain.spec import Parameter
from foldline_registry.aggregates import workflow
from foldline_registry.aggregates.workflow import WorkflowState
from foldline_registry.views.tables import TABLES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

NAMES = ("a", "b", "c")
PARAMETERS = some.one_of(
    some.builds(
        Parameter, name=some.just("x"), type=some.sampled_from(["int", "float", "str", "bool", "json"])
    ),
    some.builds(
        Parameter,
        name=some.just("x"),
        type=some.sampled_from(["int", "float"]),
        minimum=some.integers(0, 5),
        maximum=some.integers(5, 9),
    ),
)
RELEASES = some.dictionaries(some.sampled_from(NAMES), PARAMETERS, max_size=3).map(
    lambda found: tuple(
        Parameter(name=name, type=one.type, minimum=one.minimum, maximum=one.maximum)
        for name, one in found.items()
    )
)
VALUES = some.dictionaries(
    some.sampled_from(NAMES),
    some.one_of(some.none(), some.booleans(), some.integers(0, 9), some.floats(0, 9), some.just("text")),
    max_size=3,
)
COMMANDS = some.lists(
    some.one_of(
        some.tuples(some.just("release"), some.integers(0, 2)),
        some.tuples(some.just("configure"), VALUES, some.booleans()),
    ),
    max_size=12,
)


def decide(
    state: WorkflowState | None, command: tuple[Any, ...], catalog: list[tuple[Parameter, ...]]
) -> list[Event]:
    if command[0] == "release":
        return list(
            workflow.release(
                state,
                workspace="lab",
                workflow="digits",
                region="",
                release=str(command[1]),
                parameters=catalog[command[1]],
            )
        )
    assert state is not None
    current = catalog[int(state.release)]
    try:
        return list(workflow.configure(state, parameters=current, values=command[1], replace=command[2]))
    except FoldlineError:
        return []


@given(some.lists(RELEASES, min_size=3, max_size=3), COMMANDS)
def test_saved_values_fit_the_current_release_and_numbers_have_no_gap(
    catalog: list[tuple[Parameter, ...]], commands: list[tuple[Any, ...]]
) -> None:
    state: WorkflowState | None = None
    history: list[Event] = []
    for command in [("release", 0), *commands]:
        for event in decide(state, command, catalog):
            history.append(event)
            state = workflow.evolve(state, event, NOON)

        assert state is not None
        current = catalog[int(state.release)]
        assert rules.check_partial(current, state.values) == state.values
        assert [one.number for one in state.releases] == list(range(1, len(state.releases) + 1))
        assert len({one.release for one in state.releases}) == len(state.releases)
        assert state.revision == len(history)

    again: WorkflowState | None = None
    for event in history:
        again = TABLES["workflow"].evolve(again, event, NOON)
    assert again == state


@given(RELEASES, VALUES, VALUES)
def test_what_is_resolved_is_complete_and_fits(
    parameters: tuple[Parameter, ...], saved: dict[str, Any], given_values: dict[str, Any]
) -> None:
    fitting, _ = rules.sort_out(parameters, saved)
    state = WorkflowState(workspace="lab", workflow="digits", region="local", release="0", values=fitting)

    try:
        found = workflow.resolve(state, parameters=parameters, values=given_values)
    except FoldlineError as error:
        if error.reason not in {"PARAMETERS_MISSING", "INVALID_PARAMETERS"}:
            raise
        return

    assert list(found) == [parameter.name for parameter in parameters]
    assert rules.check(parameters, found) == found
