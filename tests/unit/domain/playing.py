"""Generated luck: plays a workflow to its end in an order, and with accidents, that a number decides.

People, executors and functions obey the `laws`; accidents (losses, repeated words, crashes, pauses) change
nothing of what must come out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from tests.unit.domain.laws import Laws
from tests.unit.domain.strategies import DEAF, NOWHERE

from foldline.domain import commands, effects, inner, lists
from foldline.domain.artifacts import Artifact, Item, inline
from foldline.domain.assignments import work_for
from foldline.domain.errors import FoldlineError
from foldline.domain.failures import Failure
from foldline.domain.keys import key_of
from foldline.domain.recall import index, recall
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState, expandable, ready, recallable
from foldline.domain.spec import Graph
from foldline.domain.timers import next_timer
from foldline.domain.work import Report, Work
from foldline.testing.world import World

MOST_LOSSES = 4
"""Of one step; well within what the platform bears."""

Move = Callable[[], None]


class Unreliable(World):
    """A world that loses what should happen outside while it is down."""

    is_down = False

    def carry_out(self, run_id: str, effect: effects.Effect) -> None:
        if not self.is_down:
            super().carry_out(run_id, effect)


class Play:
    """One run of `graph`. `accidents` is how many of a hundred moves are one."""

    def __init__(self, graph: Graph, laws: Laws, luck: Random, *, accidents: int = 0, **created: Any) -> None:
        self.laws = laws
        self.luck = luck
        self.accidents = accidents
        self.working: dict[tuple[str, str, int], tuple[Work, str]] = {}
        """Attempts that executors have, and in which session."""
        self.deaf: set[tuple[str, str, int]] = set()
        """Attempts that their executors never start."""
        self.reports: list[Report] = []
        self.checkpoints: dict[tuple[str, str], Artifact] = {}
        """The newest that an attempt of a step has left behind."""
        self.failures: Counter[tuple[str, str]] = Counter()
        self.losses: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[tuple[str, str, str]] = Counter()
        """Successful calls: run, step, and what was called with what."""
        self.mended: set[tuple[str, str]] = set()
        self.all_mended = False
        self.paused: set[str] = set()
        """Runs that a person has paused."""
        self.trace: list[str] = []
        self.world = Unreliable(graph, behave=lambda _: {}, **created)

    @property
    def state(self) -> RunState:
        return self.world.state

    def play(self, limit: int = 5000) -> RunState:
        """To the end, or to where nothing moves any more."""
        for _ in range(limit):
            if not self.move():
                return self.state
        raise AssertionError("it goes on and on:\n" + "\n".join(self.trace[-40:]))

    def move(self) -> bool:
        """One thing that brings the run on, or an accident; False when nothing is left to do."""
        moves = list(self.moves())
        if self.luck.randrange(100) < self.accidents:
            name, accident = self.luck.choice(list(self.accidents_of()))
            self.trace.append(name)
            accident()
            return True
        if not moves:
            return self._let_time_pass()
        name, move = self.luck.choice(moves)
        self.trace.append(name)
        move()
        return True

    def moves(self) -> Iterator[tuple[str, Move]]:
        now = self.world.clock.now()
        for run_id, state in self.world.runs.items():
            for step in ready(state, now):
                if self.pool(run_id, step) != NOWHERE:
                    yield f"schedule {run_id} {step}", lambda r=run_id, s=step: self.schedule(r, s)  # type: ignore[misc]
            for step in expandable(state, now):
                yield f"expand {run_id} {step}", lambda r=run_id, s=step: self.expand(r, s)  # type: ignore[misc]
            for step in recallable(state):
                yield f"recall {run_id} {step}", lambda r=run_id, s=step: self.recall(r, s)  # type: ignore[misc]
            if state.status == "paused" and run_id in self.paused:
                resume = commands.ResumeRun()
                yield f"resume {run_id}", lambda r=run_id, c=resume: self.tell(r, c)  # type: ignore[misc]
            yield from self._answers(run_id, state)
        for key in self.working:
            if key not in self.deaf:
                yield f"end {key}", lambda k=key: self.end(k)  # type: ignore[misc]
            elif self._is_to_leave(key):
                yield f"leave {key}", lambda k=key: self.leave(k)  # type: ignore[misc]

    def pool(self, run_id: str, step: str) -> str:
        """Where the step waits; once it is mended, with all others."""
        is_mended = self.all_mended or self.laws.is_mended or (run_id, step) in self.mended
        return "" if is_mended else self.world.runs[run_id].plan.step(step).resources.pool

    def _is_to_leave(self, key: tuple[str, str, int]) -> bool:
        """Has its executor been told to stop the attempt, or has it been given up?"""
        run_id, step, attempt = key
        state = self.world.runs[run_id]
        one = state.step(step)
        is_over = one.attempts[attempt - 1].ended_at is not None
        return is_over or one.status == "stopping" or state.status == "stopping" or state.forced

    def _answers(self, run_id: str, state: RunState) -> Iterator[tuple[str, Move]]:
        """What people are asked."""
        for one in state.steps:
            match one.status:
                case "asking":
                    yield f"provide {run_id} {one.name}", lambda s=one.name: self.provide(run_id, s)  # type: ignore[misc]
                case "held":
                    yield f"decide {run_id} {one.name}", lambda s=one.name: self.decide_held(run_id, s)  # type: ignore[misc]
                case "awaiting":
                    wait = state.plan.step(one.name).wait
                    assert wait is not UNSET
                    if self.laws.answer(wait) is not None:
                        yield f"answer {run_id} {one.name}", lambda s=one.name: self.answer(run_id, s)  # type: ignore[misc]

    # -- the usual ---------------------------------------------------------------------------------

    def tell(self, run_id: str, command: commands.Command) -> str:
        """Carry out a command; the reason where it is refused."""
        try:
            self.world.command(command, run_id)
        except FoldlineError as error:
            return error.reason
        return ""

    def schedule(self, run_id: str, step: str) -> None:
        session = self.luck.choice(["one", "two", "three"])
        self.world.command(commands.ScheduleSteps(((step, session),)), run_id)
        work = work_for(self.world.runs[run_id], step)
        assert work.checkpoint == self.checkpoints.get((run_id, step), UNSET)
        key = (run_id, step, work.key.attempt)
        self.working[key] = (work, session)
        if self.pool(run_id, step) == DEAF:
            self.deaf.add(key)

    def expand(self, run_id: str, step: str) -> None:
        state = self.world.runs[run_id]
        is_map = state.plan.step(step).map is not UNSET
        sizes = self.sizes(len(self.world.items(state, step))) if is_map else ()
        expansion = commands.Expansion(step=step, sizes=sizes)
        self.world.command(commands.ExpandSteps((expansion,)), run_id)

    def sizes(self, count: int) -> tuple[int, ...]:
        return lists.sizes([Item(value=0)] * count)

    def recall(self, run_id: str, step: str) -> None:
        """Looks through all runs for an equal attempt that succeeded; for unsafe steps as the product."""
        state = self.world.runs[run_id]
        if state.plan.step(step).effects == "unsafe":
            others = [one for one in self.world.runs.values() if one is not state]
            self.world.command(commands.RecallSteps((recall(state, step, index(others)),)), run_id)
            return
        key = key_of(state, step)
        found = next((one for one in self._succeeded() if one[0] == key), None)
        reuse = UNSET if found is None else found[1]
        found_out = commands.Recall(step=step, key=key, reason="looked", reuse=reuse)
        self.world.command(commands.RecallSteps((found_out,)), run_id)

    def _succeeded(self) -> Iterator[tuple[str, Reuse]]:
        for run_id, state in self.world.runs.items():
            for one in state.steps:
                if one.status == "completed" and one.attempts:
                    yield (
                        key_of(state, one.name),
                        Reuse(
                            run_id=run_id,
                            step=one.name,
                            attempt=len(one.attempts),
                            outputs=one.outputs,
                            metrics=one.metrics,
                        ),
                    )

    def end(self, key: tuple[str, str, int]) -> None:
        """The executor reports how the attempt went."""
        work, session = self.working.pop(key)
        run_id, step, _ = key
        assert work.function is not UNSET
        inputs = {name: self.world.value(one) for name, one in work.inputs.items()}
        call = self.laws.call(work.function.module, work.function.name, inputs)
        is_mended = self.all_mended or (run_id, step) in self.mended
        if self.failures[(run_id, step)] < call.failures and not is_mended:
            self.failures[(run_id, step)] += 1
            failure = Failure(kind="user", reason="RAISED", message="it broke", error_class=call.error_class)
            if work.timeouts.silence_seconds:
                failure = Failure(kind="timeout", reason="STEP_SILENT", message="it said nothing")
            self.report(Report(key=work.key, session=session, kind="failed", failure=failure, seconds=0.5))
            return
        called = f"{work.function.module}.{work.function.name}({inputs})"
        self.calls[(run_id, step, called)] += 1
        self.report(
            Report(
                key=work.key,
                session=session,
                kind="succeeded",
                outputs={"output": inline(call.value)},
                metrics={"score": call.metric},
                seconds=0.5,
            )
        )

    def leave(self, key: tuple[str, str, int]) -> None:
        """The executor reports that it has stopped what it never started."""
        work, session = self.working.pop(key)
        failure = Failure(kind="stopped", reason="STOPPED", message="it was stopped")
        self.report(Report(key=work.key, session=session, kind="failed", failure=failure))

    def report(self, report: Report) -> None:
        self.reports.append(report)
        self.world.command(commands.ReceiveReport(report), report.key.run_id)

    def provide(self, run_id: str, step: str) -> None:
        state = self.world.runs[run_id]
        graph = state.created.graph
        asked = state.step(step).asked
        declared = msgspec.json.encode(replace(state.plan.step(step), body=UNSET)).decode()
        lacking = {one.name for one in graph.parameters if one.delayed and one.name not in state.parameters}
        assert set(asked) == {name for name in lacking if f'"parameter":"{name}"' in declared}
        some = asked if self.luck.randrange(3) else asked[:1]
        values = {
            one.name: self.laws.parameter(graph.name, one) for one in graph.parameters if one.name in some
        }
        self.world.command(commands.ProvideParameters(values), run_id)

    def answer(self, run_id: str, step: str) -> None:
        wait = self.world.runs[run_id].plan.step(step).wait
        assert wait is not UNSET
        said = self.laws.answer(wait)
        assert said is not None
        match wait.kind:
            case "event":
                self.world.command(commands.DeliverEvent(wait.event, said["data"]), run_id)
                return
            case "approve":
                answer = commands.Answer(approved=said["approved"], comment=said["comment"])
            case "choose":
                answer = commands.Answer(choice=said["choice"])
            case _:
                answer = commands.Answer(values=said)
        self.world.command(commands.AnswerWait(step, answer, by="ada"), run_id)

    def decide_held(self, run_id: str, step: str) -> None:
        """An unsafe step that may have run is let run again; what is exhausted, as the law says."""
        state = self.world.runs[run_id]
        failure = state.step(step).failure
        assert failure is not None
        work = work_for(state, step)
        assert work.function is not UNSET
        inputs = {name: self.world.value(one) for name, one in work.inputs.items()}
        if failure.kind != "unsafe":
            if self.laws.holds(work.function.module, work.function.name, inputs) == "stop":
                self.world.command(commands.StopStep(step), run_id)
                return
            self.mended.add((run_id, step))
        refused = self.tell(run_id, commands.RetrySteps((step,)))
        if refused:
            self.world.command(commands.StopStep(step), run_id)

    def _let_time_pass(self) -> bool:
        world = self.world
        timers = [at for state in world.runs.values() if (at := next_timer(state)) is not None]
        if not timers:
            return False
        seconds = (min(timers) - world.clock.now()).total_seconds()
        self.trace.append(f"wait {seconds}")
        world.clock.advance(max(seconds, 0))
        for run_id in list(world.runs):
            world.command(commands.FireTimers(), run_id)
        return True

    # -- accidents ---------------------------------------------------------------------------------

    def accidents_of(self) -> Iterator[tuple[str, Move]]:
        yield "crash", self.world.restart
        yield "lose session", self.lose
        yield "repeat a report", self.repeat_report
        yield "start", self.start
        yield "progress", self.progress
        yield "pause", self.pause
        yield "tell a parent again", self.tell_again
        yield "crash before effects", self.crash_before_effects

    def crash_before_effects(self) -> None:
        moves = list(self.moves())
        if not moves:
            return
        name, move = self.luck.choice(moves)
        self.trace.append(f"lost: {name}")
        self.world.is_down = True
        move()
        self.world.is_down = False
        self.world.restart()

    def lose(self) -> None:
        session = self.luck.choice(["one", "two", "three"])
        held = [key for key, (_, mine) in self.working.items() if mine == session]
        if any(self.losses[key[:2]] >= MOST_LOSSES for key in held):
            return
        for run_id, step, attempt in held:
            self.losses[(run_id, step)] += 1
            work, _ = self.working.pop((run_id, step, attempt))
            late = Report(
                key=work.key,
                session=session,
                kind="failed",
                failure=Failure(kind="user", reason="LATE", message="nobody wants to know"),
            )
            self.reports.append(late)
        for run_id in list(self.world.runs):
            self.world.command(commands.LoseAttempts(session), run_id)

    def repeat_report(self) -> None:
        if self.reports:
            report = self.luck.choice(self.reports)
            self.world.command(commands.ReceiveReport(report), report.key.run_id)

    def start(self) -> None:
        if at_work := self._at_work():
            work, session = self.luck.choice(at_work)
            self.report(Report(key=work.key, session=session, kind="started"))

    def _at_work(self) -> list[tuple[Work, str]]:
        return [one for key, one in self.working.items() if key not in self.deaf]

    def progress(self) -> None:
        if at_work := self._at_work():
            work, session = self.luck.choice(at_work)
            fraction = self.luck.randrange(10) / 10
            checkpoint = inline(fraction)
            self.report(
                Report(
                    key=work.key,
                    session=session,
                    kind="progressed",
                    fraction=fraction,
                    checkpoint=checkpoint,
                )
            )
            self.checkpoints[(work.key.run_id, work.key.step)] = checkpoint

    def pause(self) -> None:
        run_id = self.luck.choice(list(self.world.runs))
        self.tell(run_id, commands.PauseRun())
        if self.world.runs[run_id].status == "paused" and not self.world.runs[run_id].paused_by_parent:
            self.paused.add(run_id)

    def tell_again(self) -> None:
        for state in list(self.world.runs.values()):
            if state.is_final and state.is_part and state.created.parent:
                parent = state.created.parent.run_id
                self.world.command(commands.ReceiveChild(inner.ended(state)), parent)
