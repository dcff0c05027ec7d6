"""What a run has ready, as the queue takes it. Pure: from a run's state and the time."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from foldline.domain.run import RunState
from foldline.domain.spec import Resources


class Ready(Struct, frozen=True):
    """A step whose next attempt may be given to an executor."""

    step: str
    attempt: int
    since: datetime  # when it became so
    place: int  # in the graph
    resources: Resources
    max_active: int  # the step's own limit over all runs of the workflow; 0 for none


class Offer(Struct, frozen=True, kw_only=True):
    """Everything of one run that is ready now."""

    run_id: str
    workspace: str
    workflow: str
    region: str
    priority: int = 0
    parallelism: int = 0  # of the map that the run is a part of; 0 for none
    steps: tuple[Ready, ...] = ()


def offer_of(state: RunState, now: datetime) -> Offer:
    """The offer of a run: `run.ready`, with all that the queue has to know of it."""
    raise NotImplementedError
