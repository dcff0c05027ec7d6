"""Where a command's answer goes: JSON for programs or text for people on stdout, the rest to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from foldline.execution import escapes

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class Output:
    """The answer of one command. With `json` nothing but JSON reaches stdout."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.is_terminal = sys.stdout.isatty() and not json

    def document(self, value: object) -> None:
        """The whole answer as one JSON document; spread over lines where a person reads it."""
        encoded = msgspec.json.encode(value)
        _write(msgspec.json.format(encoded, indent=2) if sys.stdout.isatty() else encoded)

    def line(self, value: object) -> None:
        """One piece of a stream as one line of JSON, at once."""
        _write(msgspec.json.encode(value))

    def say(self, text: str = "") -> None:
        """Text for people; silent with `json`. Much of it comes from steps: a terminal obeys none of it."""
        if not self.json:
            _write("\n".join(map(escapes.plain, text.split("\n"))).encode(errors="replace"))

    def say_line(self, text: str, *, before: str = "") -> None:
        """A line that a step wrote: on a terminal in its own colours, without all else that it obeys."""
        if not self.json:
            shown = escapes.coloured(text) if self.is_terminal else escapes.plain(text)
            _write((before + shown).encode(errors="replace"))

    def show(self, renderable: RenderableType) -> None:
        """Something rich for a terminal."""
        self.console.print(renderable)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under headings: coloured on a terminal, else plain columns that are never cut."""
        found = [[escapes.plain(cell) for cell in row] for row in rows]
        if self.is_terminal:
            from foldline.cli import render

            self.show(render.table(columns, found))
            return
        widths = [max([len(name), *(len(row[place]) for row in found)]) for place, name in enumerate(columns)]
        for row in ([name.upper() for name in columns], *found):
            self.say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())

    def fields(self, values: Mapping[str, str]) -> None:
        """Names and values, one pair a line; empty values are left out."""
        shown = {name: value for name, value in values.items() if value}
        width = max(map(len, shown), default=0)
        for name, value in shown.items():
            self.say(f"{name.ljust(width)}  {value}")

    @property
    def console(self) -> Console:
        from rich.console import Console

        return Console(highlight=False)


def complain(lines: Iterable[str]) -> None:
    """Lines to stderr."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def _write(content: bytes) -> None:
    """Bytes and a newline, whatever encoding the terminal believes in."""
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:  # a stdout that was replaced by a text buffer
        sys.stdout.write(content.decode() + "\n")
    else:
        stream.write(content + b"\n")
        stream.flush()
