"""Getting replies to questions: from those given beforehand, or from somebody who is asked, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec import UNSET

from foldline.domain.spec import Json
from foldline.sdk.local.questions import Question, find

Ask = Callable[[Question], Awaitable[Json]]
"""Asks somebody; the reply, or UNSET where there is none."""

Replied = Callable[[Question, Json], None]


class Desk:
    """Every question of the runs, and what has become of it. `replied` is called once for each reply."""

    def __init__(
        self, answers: Mapping[str, Json], ask: Ask | None, replied: Replied, tasks: asyncio.TaskGroup
    ) -> None:
        self._answers = answers
        self._ask = ask
        self._replied = replied
        self._tasks = tasks
        self._turn = asyncio.Lock()
        self._open: dict[tuple[str, ...], Question] = {}
        self._asking: dict[tuple[str, ...], asyncio.Task[None]] = {}
        self._used: set[str] = set()

    @property
    def is_waiting(self) -> bool:
        """Is a reply under way?"""
        return bool(self._asking)

    @property
    def unanswered(self) -> list[Question]:
        return [question for key, question in self._open.items() if key not in self._asking]

    def update(self, run_id: str, questions: list[Question]) -> None:
        """These are all that the run asks now."""
        now = {question.key: question for question in questions}
        for key in [key for key in self._open if key[0] == run_id and key not in now]:
            self._drop(key)
        for key, question in now.items():
            if key not in self._open:
                self._open[key] = question
                self._seek(question)

    def ask_again(self, question: Question, problem: str) -> bool:
        """The reply was not good enough; False where nobody can be asked again."""
        if self._ask is None or find(self._answers, question) is not UNSET:
            return False
        self._start(msgspec.structs.replace(question, problem=problem))
        return True

    def close(self) -> None:
        for key in list(self._open):
            self._drop(key)

    def _drop(self, key: tuple[str, ...]) -> None:
        del self._open[key]
        task = self._asking.pop(key, None)
        if task is not None:
            task.cancel()

    def _seek(self, question: Question) -> None:
        reply = find(self._answers, question)
        if question.kind == "held":
            # One answer lets it go on once; more would have it tried for ever.
            reply = UNSET if question.place in self._used else reply
            self._used.add(question.place)
        if reply is not UNSET:
            self._replied(question, reply)
        elif self._ask is not None:
            self._start(question)

    def _start(self, question: Question) -> None:
        self._asking[question.key] = self._tasks.create_task(self._ask_in_turn(question), name="ask")

    async def _ask_in_turn(self, question: Question) -> None:
        assert self._ask is not None
        async with self._turn:
            reply = await self._ask(question)
        self._asking.pop(question.key, None)
        self._replied(question, reply)
