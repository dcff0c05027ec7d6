"""What a start runs: the registry's answer, and the same one again as long as the workflow is what it was."""

from __future__ import annotations

import pytest
from tests.integration.scheduler.starters import Place

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import WorkflowConfigured, WorkflowReleased
from foldline.domain.run_events import Event
from foldline.eventstore import facts
from foldline.eventstore.port import NO_STREAM, Head

WORKFLOW = "workflow-w.f"


async def test_a_workflow_that_stays_as_it_is_is_asked_for_once(here: Place) -> None:
    await _changed(here, WorkflowReleased(release="sha256:1", number=1))
    async with here.scheduler() as client:
        for _ in range(3):
            await client.runs.start("f")

    assert here.registry.askers == ["ada"]
    assert len(await here.runs()) == 3


async def test_other_values_are_another_question(here: Place) -> None:
    await _changed(here, WorkflowReleased(release="sha256:1", number=1))
    async with here.scheduler() as client:
        for size in (1, 2, 1):
            await client.runs.start("f", {"size": size})

    assert here.registry.askers == ["ada", "ada"]


async def test_whoever_starts_after_a_change_gets_what_was_changed(here: Place) -> None:
    head = await _changed(here, WorkflowReleased(release="sha256:1", number=1))
    async with here.scheduler() as client:
        await client.runs.start("f")
        await _changed(here, WorkflowConfigured(values={"size": 2}), head)
        await client.runs.start("f")

    assert here.registry.askers == ["ada", "ada"]


async def test_a_refusal_is_not_kept(here: Place) -> None:
    await _changed(here, WorkflowReleased(release="sha256:1", number=1))
    async with here.scheduler() as client:
        here.registry.refusal = FoldlineError(Kind.PRECONDITION, "PARAMETERS_MISSING", "it needs a size")
        with pytest.raises(FoldlineError):
            await client.runs.start("f")
        here.registry.refusal = None
        await client.runs.start("f")

    assert len(await here.runs()) == 1


async def _changed(here: Place, event: Event, behind: Head = NO_STREAM) -> Head:
    """Somebody changes the workflow; the registry's answers go up to that."""
    new = facts.new_events([event], facts.Meta(actor="ada", workspace="w"), here.clock.now())
    head = await here.store.append(WORKFLOW, behind, new)
    here.registry.stream, here.registry.version = WORKFLOW, head.version
    return head
