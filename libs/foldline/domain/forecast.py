"""What the steps of a run that is made from another would do, before it is started.

The run is played with the rules that carry it out, up to where something would have to be made: reuse is
followed, conditions are answered, steps are skipped, runs inside steps are played in turn. So what is said of
a step whose inputs are all known is what will happen. Behind something that is made anew it is said only
where it is certain, provided nothing fails; everything else is "unknown".

Linear in the steps of the run and of the runs inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from msgspec import UNSET

from foldline.domain import caching, inner, lists, paths, reports
from foldline.domain import run_events as ev
from foldline.domain.artifacts import Item
from foldline.domain.commands import Recall, ReceiveChild
from foldline.domain.decision import Decision
from foldline.domain.evolve import evolve
from foldline.domain.outlook import PlannedStep, outlook
from foldline.domain.recall import Index, recall
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState, StepState, is_recallable
from foldline.domain.settle import after, settle, settle_all

Items = Callable[[RunState, str], Sequence[Item] | None]
"""The list of a map step that does not travel in events; None where it is not at hand."""

Kept = Callable[[str], Reuse | None]
"""What the declared cache has under a key; None where it has nothing, or where that is not at hand."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing here depends on the time."""


def _no_items(_: RunState, __: str) -> None:
    return None


def _nothing(_: str) -> None:
    return None


def plan(
    created: ev.RunCreated, known: Index, items: Items = _no_items, kept: Kept = _nothing
) -> tuple[PlannedStep, ...]:
    """What would become of every step, in the graph's order. `known` is the index for `created`."""
    return _Game(created, known, items, kept).planned()


class _Game:
    """A run played as far as reuse goes."""

    def __init__(self, created: ev.RunCreated, known: Index, items: Items, kept: Kept) -> None:
        self.decision = Decision(evolve(None, created, _NEVER), _NEVER)
        self.found: dict[str, PlannedStep] = {}
        self._planned: tuple[PlannedStep, ...] | None = None
        self._known = known
        self._items = items
        self._kept = kept
        settle_all(self.decision)
        for place in self.decision.state.plan.order:
            self._ask(place)
        for place in self.decision.state.plan.handlers:  # in play only once the main part has ended
            self._ask(place)

    @property
    def state(self) -> RunState:
        return self.decision.state

    def _ask(self, place: int) -> None:
        step = self.state.steps[place]
        if step.name in self.found or not is_recallable(self.state, step):
            return
        answer = self._answer(step.name)
        if answer.reuse is not UNSET:
            event = ev.StepReused(step=step.name, reuse=answer.reuse, key=answer.key, reason=answer.reason)
            self.decision.add(event)
            self._note(step.name, "reuse", answer.reason)
            after(self.decision, step.name)
        elif answer.is_unsafe:
            self._note(step.name, "hold", answer.reason)
        elif step.kind == "wait":
            self._note(step.name, "ask", answer.reason)
        elif step.is_work:
            self._note(step.name, "run", answer.reason)
        else:
            self.decision.add(ev.ReuseDeclined(step=step.name, key=answer.key, reason=answer.reason))
            self._look_inside(step, place, answer.reason)

    def _answer(self, name: str) -> Recall:
        """From the runs that this one is made from, then from the cache. Nobody waits in a plan: an equal
        attempt that is under way may come to nothing.
        """
        answer = recall(self.state, name, self._known)
        if caching.asks_behind(self.state, name, answer) and caching.reads(self.state, name):
            reuse = self._kept(answer.key)
            decided = caching.decide_on(self.state, name, answer.key, reuse or caching.Nothing())
            if isinstance(decided, Recall):
                return caching.behind(answer, decided)
        return answer

    def _note(self, step: str, action: str, reason: str, reused: int = 0, run: int = 0) -> None:
        self.found[step] = PlannedStep(
            step=step, action=action, reason=reason, items_reused=reused, items_run=run
        )

    # -- runs inside a step ------------------------------------------------------------------------

    def _look_inside(self, step: StepState, place: int, reason: str) -> None:
        settle(self.decision, [place])
        declared = self.state.plan.step(step.name)
        items: Sequence[Item] = ()
        if declared.map is not UNSET and self.state.step(step.name).status not in ("failed", "completed"):
            found: Sequence[Item] | None = inner.inline_items(self.state, declared)
            if found is None:
                found = self._items(self.state, step.name)
                if found is None:
                    self._note(step.name, "run", reason)
                    return
                inner.expand(self.decision, step.name, lists.sizes(found))
            items = found
        if self.state.step(step.name).status == "failed":
            return  # `outlook` says why
        games = self._map(step.name, items) if declared.map is not UNSET else self._one_by_one(step.name)
        planned = [one for game in games for one in game.planned() if game.makes(one)]
        reused, run = _units(games) if declared.map is not UNSET else (0, 0)
        action, why = _of_all(planned)
        self._note(step.name, action, f"{reason}; {why}" if why else reason, reused, run)

    def planned(self) -> tuple[PlannedStep, ...]:
        if self._planned is None:
            self._planned = outlook(self.state, self.found, self._known)
        return self._planned

    def makes(self, planned: PlannedStep) -> bool:
        """Is it something that is neither taken over nor left out? The answer of a condition is nothing."""
        if planned.action in ("reuse", "skip"):
            return False
        step = self.state.step(planned.step)
        is_idle = step.status == "completed" and planned.step not in self.found
        return not is_idle and not (self.state.is_final and step.status in ("stopped", "waiting"))

    def _map(self, name: str, items: Sequence[Item]) -> list[_Game]:
        """All children at once; the map goes on where every one of them ended without anything being made."""
        children = self.state.step(name).children
        assert children is not None
        games = [self._child(name, index, items) for index in range(len(children.sizes))]
        if all(game.state.status == "completed" for game in games):
            while open_ := self._open(name):
                self._end(games[open_[0]].state)
        return games

    def _one_by_one(self, name: str) -> list[_Game]:
        games: list[_Game] = []
        while open_ := self._open(name):
            games.append(self._child(name, open_[0], ()))
            if games[-1].state.status != "completed":
                break
            self._end(games[-1].state)
        return games

    def _open(self, name: str) -> tuple[int, ...]:
        step = self.state.step(name)
        return step.children.open if step.is_active and step.children is not None else ()

    def _child(self, name: str, index: int, items: Sequence[Item]) -> _Game:
        return _Game(inner.created(self.state, name, index, items), self._known, self._items, self._kept)

    def _end(self, child: RunState) -> None:
        reports.receive_child(self.decision, ReceiveChild(inner.ended(child)))


def _units(games: Iterable[_Game]) -> tuple[int, int]:
    """Items for which nothing is made, and the others."""
    made: set[tuple[int, str]] = set()
    total = 0
    for place, game in enumerate(games):
        total += len(game.state.created.items)
        for one in game.planned():
            if game.makes(one):
                made.add((place, one.step.rpartition(".")[2]))
    return total - len(made), len(made)


def _of_all(planned: Sequence[PlannedStep]) -> tuple[str, str]:
    """What a step does whose inner steps do this, and because of which."""
    for action in ("hold", "run", "ask", "unknown"):
        one = next((one for one in planned if one.action == action), None)
        if one is not None:
            why = f"{paths.shown(one.step)} inside it: {one.reason}" if action in ("hold", "ask") else ""
            return action, why
    return "reuse", "everything inside it is taken over"
