"""Plays in which anybody may ask for anything at any moment, also for what makes no sense.

What is refused names the rule; what is asked for twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from tests.unit.domain.playing import Move, Play

from foldline.domain import commands, inner
from foldline.domain import run_events as ev
from foldline.domain.decide import decide
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.run import RunState
from foldline.domain.work import AttemptKey, Report

MAY_REPEAT = (commands.RetrySteps, commands.DeliverEvent)
"""What fails at once may be retried again; behind a wait for an event there may be another one."""


class Storm(Play):
    """A play with commands of every kind among its accidents."""

    def accidents_of(self) -> Iterator[tuple[str, Move]]:
        yield from super().accidents_of()
        for _ in range(4):
            yield "any command", self.ask_anything

    def ask_anything(self) -> None:
        run_id = self.luck.choice(list(self.world.runs))
        state = self.world.runs[run_id]
        command = self.luck.choice(_ANYTHING)(self, state)
        self.trace.append(f"{run_id}: {command}")
        now = self.world.clock.now()
        if _refused(state, command, now):
            return
        self.world.command(command, run_id)
        if not isinstance(command, MAY_REPEAT):
            after = self.world.runs[run_id]
            assert _refused(after, command, now) or decide(after, command, now) == (), command
        if isinstance(command, commands.PauseRun) and self.world.runs[run_id].status == "paused":
            self.paused.add(run_id)
        self.working = {key: one for key, one in self.working.items() if self._is_at_work(key)}

    def any_step(self, state: RunState) -> str:
        return self.luck.choice(list(state.steps)).name

    def _is_at_work(self, key: tuple[str, str, int]) -> bool:
        run_id, step, attempt = key
        return self.world.runs[run_id].step(step).attempts[attempt - 1].ended_at is None


def _refused(state: RunState, command: commands.Command, now: datetime) -> bool:
    """Is the command refused? Then with a reason and a sentence. That nothing changed shows in the end, when
    the history folds to the state."""
    refusal = _refusal(state, command, now)
    if refusal is None:
        return False
    assert refusal.kind is not Kind.INTERNAL, (command, refusal.message)
    assert refusal.reason.isupper()
    assert len(refusal.message) > 10, refusal.message
    return True


def _refusal(state: RunState, command: commands.Command, now: datetime) -> FoldlineError | None:
    try:
        decide(state, command, now)
    except FoldlineError as error:
        return error
    return None


def _report(play: Storm, state: RunState) -> commands.Command:
    step = play.any_step(state)
    attempt = play.luck.randrange(len(state.step(step).attempts) + 2)
    key = AttemptKey(run_id=state.created.run_id, step=step, attempt=attempt)
    kind = play.luck.choice(["started", "progressed", "succeeded", "failed"])
    return commands.ReceiveReport(Report(key=key, session="stranger", kind=kind))


def _child(play: Storm, state: RunState) -> commands.Command:
    children = [
        one
        for one in play.world.runs.values()
        if one.is_final and one.is_part and one.created.parent.run_id == state.created.run_id  # type: ignore[union-attr]
    ]
    if children:
        return commands.ReceiveChild(inner.ended(play.luck.choice(children)))
    return commands.ReceiveChild(ev.ChildEnded(step=play.any_step(state), attempt=99, status="completed"))


_ANYTHING: list[Callable[[Storm, RunState], commands.Command]] = [
    lambda _, state: commands.CreateRun(state.created),
    lambda play, _: commands.RequestStop(forced=play.luck.randrange(4) == 0),
    lambda play, state: commands.StopStep(play.any_step(state)),
    lambda play, state: commands.StopStep(play.any_step(state)),
    lambda *_: commands.PauseRun(),
    lambda *_: commands.ResumeRun(),
    lambda *_: commands.ResumeRun(by_parent=True),
    lambda *_: commands.RetrySteps(),
    lambda play, state: commands.RetrySteps((play.any_step(state),)),
    lambda play, state: commands.RetrySteps((play.any_step(state),), {"level": play.luck.randrange(5)}),
    lambda *_: commands.RetrySteps(("nobody",)),
    lambda play, _: commands.ProvideParameters({"late": play.luck.randrange(2)}),
    lambda play, _: commands.ProvideParameters({"later": play.luck.randrange(2)}),
    lambda *_: commands.ProvideParameters({"level": 1, "unknown": 2}),
    lambda play, state: commands.AnswerWait(
        play.any_step(state), commands.Answer(approved=True, choice="left", values={"rows": 1}), by="eve"
    ),
    lambda play, state: commands.AnswerWait(play.any_step(state), commands.Answer(choice="up"), by="eve"),
    lambda *_: commands.DeliverEvent("top-s1", 1),
    lambda *_: commands.FireTimers(),
    lambda play, state: (
        commands.ScheduleSteps(((play.any_step(state), "nobody"),))
        if state.is_final
        else commands.FireTimers()
    ),
    lambda play, state: (
        commands.ExpandSteps((commands.Expansion(step=play.any_step(state)),))
        if state.is_final
        else commands.FireTimers()
    ),
    lambda *_: commands.LoseAttempts("stranger"),
    _report,
    _child,
]
