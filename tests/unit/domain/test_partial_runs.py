"""A part of a workflow ends as the same steps mean it, with what an earlier run gives for the others."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.choosing import chosen
from tests.unit.domain.comparing import compare, once
from tests.unit.domain.examples import share
from tests.unit.domain.invariants import assert_asked, replayed
from tests.unit.domain.laws import Laws
from tests.unit.domain.playing import Play
from tests.unit.domain.reference import StepMeans, mean
from tests.unit.domain.strategies import Choice, partial_runs
from tests.unit.domain.test_reference import LAWS, LUCK, started

from foldline.domain.artifacts import Artifact, inline
from foldline.domain.errors import FoldlineError
from foldline.domain.lists import stored
from foldline.domain.relations import Reuse
from foldline.domain.selection import require, select
from foldline.domain.spec import Graph


def selected(declared: Graph, choice: Choice) -> tuple[str, ...] | None:
    """As `select`; None where it is refused as nothing is left."""
    try:
        return select(declared, **choice._asdict())
    except FoldlineError as refusal:
        if refusal.reason != "NOTHING_SELECTED":
            raise
        return None


@given(partial_runs())
def test_a_choice_means_these_steps_and_what_hangs_on_them_or_what_they_need(
    partial: tuple[Graph, Choice],
) -> None:
    declared, choice = partial

    selection = selected(declared, choice)

    names = chosen(declared, choice)
    handlers = {step.name for step in declared.steps if step.handles}
    if selection is None:
        assert names <= handlers
    elif any(choice):
        assert set(selection) == names
    else:
        assert selection == ()


def earlier(declared: Graph, laws: Laws, selection: tuple[str, ...]) -> dict[str, StepMeans]:
    """What a whole run gave for the steps that are left out."""
    whole = mean(declared, laws, {})
    main = [step for step in declared.steps if step.kind != "condition" and not step.handles]
    left_out = [step.name for step in main if step.name not in selection]
    return {name: whole.steps[name] for name in left_out if whole.steps[name].status == "completed"}


def reuse(step: str, means: StepMeans, contents: dict[str, bytes], *, is_list: bool) -> Reuse:
    """Long lists are put among the contents of the store."""
    outputs = {name: _artifact(value, contents, is_list=is_list) for name, value in means.outputs.items()}
    metrics = {} if means.metric is None else {"score": means.metric}
    return Reuse(run_id="earlier", step=step, attempt=1, outputs=outputs, metrics=metrics)


def _artifact(value: object, contents: dict[str, bytes], *, is_list: bool) -> Artifact:
    if is_list and isinstance(value, list):
        found = stored([None if one is None else inline(one) for one in value])
        contents[found.artifact.digest] = found.content
        return found.artifact
    return inline(value)


@given(partial_runs(), LAWS, LUCK, st.booleans(), st.sampled_from([0, 20]))
@share(50)
def test_a_partial_run_ends_as_its_steps_mean(
    partial: tuple[Graph, Choice], laws: Laws, luck: Random, takes_over: bool, accidents: int
) -> None:
    declared, choice = partial
    selection = selected(declared, choice) or ()
    means = earlier(declared, laws, selection) if takes_over and selection else {}
    maps = {step.name for step in declared.steps if step.kind == "map"}
    contents: dict[str, bytes] = {}
    given = {name: reuse(name, one, contents, is_list=name in maps) for name, one in means.items()}
    try:
        require(declared, selection, given)
    except FoldlineError:
        return  # nobody can start it

    options = {"parameters": started(declared), "selection": selection, "given": given}
    play = Play(declared, laws, luck, accidents=accidents, stored=contents, **options)
    play.play()

    compare(play, mean(declared, laws, {}, selection=selection, given=means))
    once(play)
    assert_asked(play)
    for history in play.world.histories.values():
        replayed(history)
