"""A whole platform in memory: one run with the runs inside it, driven by hand or to its end.

    world = World(graph, parameters={"rows": 3}, behave=my_step)
    world.run()
    assert world.state.status == "completed"

`behave(work)` plays the executor: it gets the work order of an attempt and returns outputs by name (JSON
values or artifacts), or raises StepRaises. A run made from others gets their worlds as `earlier`. Nothing is
simulated but executors and clock: commands, events and effects are the product's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from foldline.domain import caching, commands, inner, lists
from foldline.domain import run_events as ev
from foldline.domain.artifacts import Artifact, Item, inline
from foldline.domain.assignments import work_for
from foldline.domain.decide import decide
from foldline.domain.effects import (
    CreateChild,
    Effect,
    PauseChild,
    ResumeChild,
    StopChild,
    TellParent,
    effects,
    standing,
)
from foldline.domain.errors import FoldlineError
from foldline.domain.evolve import fold
from foldline.domain.failures import Failure
from foldline.domain.keys import key_of
from foldline.domain.recall import Index, index, lineage, recall
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState, expandable, ready, recallable
from foldline.domain.spec import Graph, Json
from foldline.domain.timers import next_timer
from foldline.domain.values import artifact_of
from foldline.domain.work import AttemptKey, Input, Report, Work
from foldline.testing.clock import ManualClock

SESSION = "executor-in-memory"


class StepRaises(Exception):
    """What the step's function did: its attempt fails with this failure."""

    def __init__(self, failure: Failure | None = None) -> None:
        super().__init__(failure)
        self.failure = failure or Failure(kind="user", reason="STEP_RAISED", message="it raised")


Behave = Callable[[Work], Mapping[str, Json | Artifact]]
Recalling = Callable[[RunState, str], commands.Recall]


class World:
    """Runs by id. `run_id` is the one that was started."""

    def __init__(
        self,
        graph: Graph,
        *,
        behave: Behave,
        parameters: Mapping[str, Json] | None = None,
        run_id: str = "run",
        clock: ManualClock | None = None,
        recall: Recalling | None = None,
        earlier: Iterable[World] = (),
        kept: Mapping[str, Reuse] | None = None,
        stored: Mapping[str, bytes] | None = None,
        **created: Any,
    ) -> None:
        self.run_id = run_id
        self.clock = clock or ManualClock()
        self.runs: dict[str, RunState] = {}
        self.histories: dict[str, list[tuple[ev.RunEvent, datetime]]] = {}
        self.contents: dict[str, bytes] = dict(stored or {})
        self.attempts: list[AttemptKey] = []
        """Every attempt that was carried out, in order."""
        others = tuple(earlier)
        self.earlier = tuple(state for world in others for state in world.runs.values())
        for world in others:
            self.contents |= world.contents
        self.kept = kept or {}
        """What the declared cache has, by key. Nothing is added."""
        self._behave = behave
        self._recall = recall or self.recall
        self._indices: dict[str, Index] = {}
        first = ev.RunCreated(
            run_id=run_id,
            workspace="w",
            workflow=graph.name,
            release="sha256:release",
            region="local",
            graph=graph,
            parameters=dict(parameters or {}),
            bundle="sha256:bundle",
        )
        self.command(commands.CreateRun(msgspec.structs.replace(first, **created)), run_id)

    @classmethod
    def of(cls, created: ev.RunCreated, **options: Any) -> World:
        """The world of a run whose first event is at hand."""
        fields = {name: getattr(created, name) for name in created.__struct_fields__ if name != "graph"}
        return cls(created.graph, **fields, **options)

    @property
    def state(self) -> RunState:
        return self.runs[self.run_id]

    def command(self, command: commands.Command, run_id: str = "") -> list[ev.RunEvent]:
        """Decide, fold, carry out the effects. Raises what `decide` raises."""
        run_id = run_id or self.run_id
        now = self.clock.now()
        events = decide(self.runs.get(run_id), command, now)
        if not events:
            return []
        history = [(event, now) for event in events]
        state = self.runs[run_id] = fold(history, self.runs.get(run_id))
        self.histories.setdefault(run_id, []).extend(history)
        self.contents |= inner.contents(events, state)
        for effect in effects(events, state):
            self.carry_out(run_id, effect)
        return list(events)

    def run(self, limit: int = 10_000) -> RunState:
        """Step by step until nothing moves any more without a person; time passes where it must."""
        for _ in range(limit):
            if not self.step_forward():
                return self.state
        raise AssertionError(f"the run goes on after {limit} moves")

    def step_forward(self) -> bool:
        """Answers to recallable steps, one attempt, one measured list, or the next timer; False when there is
        nothing to do."""
        for run_id, state in list(self.runs.items()):
            if names := recallable(state):
                recalls = tuple(self._recall(state, name) for name in names)
                self.command(commands.RecallSteps(recalls), run_id)
                return True
            if names := ready(state, self.clock.now()):
                self.attempt(run_id, names[0])
                return True
            if names := expandable(state, self.clock.now()):
                is_map = state.plan.step(names[0]).map is not UNSET
                sizes = lists.sizes(self.items(state, names[0])) if is_map else ()
                expansion = commands.Expansion(step=names[0], sizes=sizes)
                self.command(commands.ExpandSteps((expansion,)), run_id)
                return True
        return self._let_time_pass()

    def attempt(self, run_id: str, step: str) -> None:
        """Carry out the next attempt of a ready step."""
        self.command(commands.ScheduleSteps(((step, SESSION),)), run_id)
        work = work_for(self.runs[run_id], step)
        self.attempts.append(work.key)
        try:
            given = self._behave(work)
        except StepRaises as raised:
            report = Report(key=work.key, session=SESSION, kind="failed", failure=raised.failure, seconds=0.5)
        else:
            outputs = {
                name: value if isinstance(value, Artifact) else inline(value) for name, value in given.items()
            }
            report = Report(key=work.key, session=SESSION, kind="succeeded", outputs=outputs, seconds=0.5)
        self.command(commands.ReceiveReport(report), run_id)

    def recall(self, state: RunState, step: str) -> commands.Recall:
        """Reuse from `earlier` runs, for what is tried again from this one, then from the declared cache."""
        created = state.created
        if created.origin is UNSET:
            return self._cached(state, step, key_of(state, step))
        if created.run_id not in self._indices:
            is_own = self.run_id in lineage(created)
            own = [one for one in self.runs.values() if one is not state] if is_own else []
            self._indices[created.run_id] = index([*self.earlier, *own])
        answer = recall(state, step, self._indices[created.run_id])
        if not caching.asks_behind(state, step, answer):
            return answer
        return caching.behind(answer, self._cached(state, step, answer.key))

    def _cached(self, state: RunState, step: str, key: str) -> commands.Recall:
        decided = caching.decide_on(state, step, key, self.kept.get(key) or caching.Nothing())
        assert isinstance(decided, commands.Recall), "nothing is under way here"
        return decided

    def items(self, state: RunState, step: str) -> Sequence[Item]:
        """The list that a map step runs over, wherever it is kept."""
        declared = state.plan.step(step)
        found = inner.inline_items(state, declared)
        if found is not None:
            return found
        assert declared.map is not UNSET
        artifact = artifact_of(state, declared.inputs[declared.map.over])
        assert artifact is not None
        return lists.items_of(self.entries(artifact))

    def entries(self, artifact: Artifact) -> list[Artifact | None]:
        """The artifacts of a list."""
        is_inline = artifact.value is not UNSET
        content = msgspec.json.encode(artifact.value) if is_inline else self.contents[artifact.digest]
        found = lists.entries(content)
        if artifact.encoding == lists.LISTS:
            return [one for part in found if part is not None for one in self.entries(part)]
        return found

    def value(self, given: Input | Artifact) -> Json:
        """The JSON value of an input or output, lists of JSON values included."""
        artifact = given if isinstance(given, Artifact) else given.artifact
        if artifact is UNSET:
            assert isinstance(given, Input)
            return given.value
        if artifact.encoding in (lists.LIST, lists.LISTS):
            return [None if one is None else self.value(one) for one in self.entries(artifact)]
        return artifact.value

    def restart(self) -> None:
        """As after a crash: every run is folded again, and its standing effects are carried out."""
        for run_id, history in self.histories.items():
            self.runs[run_id] = fold(history)
        for run_id in list(self.runs):
            for effect in standing(self.runs[run_id]):
                self.carry_out(run_id, effect)

    def carry_out(self, run_id: str, effect: Effect) -> None:
        """What an effect means for the other runs. A test may lose some on the way here, or repeat them."""
        state = self.runs[run_id]
        match effect:
            case CreateChild():
                map_step = state.plan.step(effect.step).map is not UNSET
                items = self.items(state, effect.step) if map_step else ()
                created = inner.created(state, effect.step, effect.index, items)
                self.command(commands.CreateRun(created), created.run_id)
            case StopChild():
                child = inner.child_id(run_id, effect.step, effect.attempt, effect.index)
                self._if_open(commands.RequestStop(forced=effect.forced), child)
            case PauseChild() | ResumeChild():
                attempt = state.step(effect.step).attempts[-1].number
                child = inner.child_id(run_id, effect.step, attempt, effect.index)
                kind = commands.PauseRun if isinstance(effect, PauseChild) else commands.ResumeRun
                self._if_open(kind(by_parent=True), child)
            case TellParent():
                parent = state.created.parent
                assert parent is not UNSET
                self.command(commands.ReceiveChild(inner.ended(state)), parent.run_id)
            case _:
                return  # executors: `attempt` carries work out at once

    def _if_open(self, command: commands.Command, run_id: str) -> None:
        if run_id not in self.runs:
            return
        try:
            self.command(command, run_id)
        except FoldlineError as error:
            if error.reason not in ("RUN_ENDED", "RUN_ENDING", "NOT_PAUSED"):
                raise

    def _let_time_pass(self) -> bool:
        timers = [at for state in self.runs.values() if (at := next_timer(state)) is not None]
        if not timers:
            return False
        now = self.clock.now()
        if min(timers) > now:
            self.clock.advance((min(timers) - now).total_seconds())
        for run_id in list(self.runs):
            self.command(commands.FireTimers(), run_id)
        return True
