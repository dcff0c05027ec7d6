"""Showing a run while it goes on: a live picture on a terminal, a line per event elsewhere, JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from foldline.chassis.clock import SystemClock
from foldline.cli import advice, views, words
from foldline.cli.output import Output
from foldline.cli.views import RunView
from foldline.execution import escapes

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_QUIET = frozenset({"StepScheduled", "ReuseDeclined", "ChildStarted"})
"""Events that say nothing to somebody who only watches."""


class Progress:
    """Use inside `with`; tell it every change.

    With `advises` it says what to type for a step that waits for a person.
    """

    def __init__(self, out: Output, *, advises: bool = False) -> None:
        self._out = out
        self._advises = advises
        self._advised: list[str] = []
        self._live: Live | None = None
        self._view: Callable[[], RunView] | None = None
        self._clock = SystemClock()

    def __enter__(self) -> Progress:
        if self._out.is_terminal:
            from rich.live import Live

            self._live = Live(get_renderable=self._picture, console=self._out.console, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to somebody else for the length of the block."""
        if self._live is not None:
            self._live.stop()
        try:
            yield
        finally:
            if self._live is not None:
                self._live.start()

    def show(self, view: Callable[[], RunView]) -> None:
        """The run looks like this now; asked for only when the picture is drawn again."""
        self._view = view

    def event(self, type_: str, data: Mapping[str, Any], time: datetime) -> None:
        """This happened; on a terminal the picture tells it already."""
        if self._live is None and type_ not in _QUIET:
            subject = f"{data['step']}: " if data.get("step") and type_ != "RunFailed" else ""
            self._out.say(f"{views.clock_time(time)}  {subject}{words.describe(type_, data)}")

    def advise(self, view: RunView) -> None:
        """Say what is to be typed now, as far as it was not said before; the picture shows it anyway."""
        found = advice.lines(view) if self._advises and self._live is None else []
        for line in found:
            if line not in self._advised:
                self._out.say(f"          {line}")
        self._advised = found

    def log(self, step: str, text: str) -> None:
        """A step wrote a line; on a terminal it scrolls by above the picture."""
        if self._live is not None:
            from rich.text import Text

            shown = Text.from_ansi(escapes.coloured(text))
            self._live.console.print(Text.assemble((f"{step} │ ", "dim"), shown))
        else:
            self._out.say(f"          {step} | {text}")

    def _picture(self) -> RenderableType:
        from foldline.cli import render

        if self._view is None:
            return ""
        view = self._view()
        below = advice.lines(view) if self._advises else ()
        return render.run(view, self._clock.now(), self._out.console.height, below)


def finish(out: Output, view: RunView) -> None:
    """What there is to say when the run has ended: its outputs, or why it failed."""
    if not out.is_terminal:
        out.say(f"run {view.run_id} {view.status} after {views.duration(view.create_time, view.end_time)}")
    if view.failure is not None:
        out.say(f"failed: {view.failure.message} ({view.failure.reason})")
        if view.failure.traceback:
            out.say(view.failure.traceback.rstrip())
    if view.outputs:
        out.say("outputs")
        out.fields({f"  {name}": views.artifact(found) for name, found in sorted(view.outputs.items())})
