"""Asking the person at the terminal what a local run wants to know.

Lines are read without blocking the run: its steps go on, and a deadline or Ctrl-C ends the question.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET

from foldline.cli import views
from foldline.cli.output import Output
from foldline.cli.progress import Progress
from foldline.domain.artifacts import inline
from foldline.domain.errors import FoldlineError, Kind

if TYPE_CHECKING:
    from foldline.domain.spec import Json, Parameter
    from foldline.sdk.local import Question

_STDIN = 0


def given(answers: Sequence[str]) -> dict[str, Json]:
    """`STEP=VALUE` texts of --answer. Raises INVALID for anything else."""
    from foldline.sdk.local import Typed

    found: dict[str, Json] = {}
    for answer in answers:
        step, equals, text = answer.partition("=")
        if not (step and equals):
            message = f"{answer!r} is not of the form step=answer"
            raise FoldlineError(Kind.INVALID, "ILLEGAL_ANSWER", message)
        found[step] = Typed(text)
    return found


def can_ask(out: Output) -> bool:
    return sys.stdin.isatty() and not out.json


class Terminal:
    """Puts questions between what the run shows."""

    def __init__(self, out: Output, progress: Progress) -> None:
        self._out = out
        self._progress = progress

    async def ask(self, question: Question) -> Json:
        """The reply; UNSET where the person closed the input."""
        with self._progress.paused():
            self._introduce(question)
            try:
                return await self._reply(question)
            except EOFError:
                return UNSET

    def _introduce(self, question: Question) -> None:
        if question.problem:
            self._out.say(f"that will not do: {question.problem}")
            return
        prompt = question.prompt or _PROMPTS.get(question.kind, "asks for an answer")
        self._out.say(f"step {question.place}: {prompt}")
        if question.failure is not None:
            self._out.say(f"  {question.failure.message} ({question.failure.reason})")
        shown = {
            f"  {name}": views.artifact(inline(one.value) if one.artifact is UNSET else one.artifact)
            for name, one in question.shown.items()
        }
        self._out.fields(shown)

    async def _reply(self, question: Question) -> Json:
        from foldline.sdk.local import Typed
        from foldline.sdk.local.questions import expected

        if question.fields:
            return {
                field.name: value for field in question.fields if (value := await _field(field)) is not UNSET
            }
        return Typed(await _line(f"{expected(question)}: "))


_PROMPTS = {
    "parameters": "needs values before it can start",
    "held": "may not go on by itself",
    "event": "waits for an event",
}


async def _field(field: Parameter) -> Json:
    """The value of one field, asked for until it can be one."""
    from foldline.sdk import values

    default = "" if field.default is UNSET else f" [{views.json_text(field.default)}]"
    while True:
        text = await _line(f"  {field.title or field.name} ({field.type}){default}: ")
        if not text and field.default is not UNSET:
            return field.default
        try:
            return values.parse([f"{field.name}={text}"], [field])[field.name]
        except FoldlineError as error:
            sys.stdout.write(f"  {error.message}\n")


async def _line(prompt: str) -> str:
    """A line from the keyboard. Raises EOFError."""
    sys.stdout.write(prompt)
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(_STDIN, _resolve, ready)
    try:
        await ready
    finally:
        loop.remove_reader(_STDIN)
    text = os.read(_STDIN, 64 * 1024)  # a terminal gives whole lines
    if not text:
        raise EOFError
    return text.decode(errors="replace").strip()


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
