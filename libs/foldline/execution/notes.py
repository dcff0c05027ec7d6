"""What a step tells on its way: progress, metrics, checkpoints. Each is a line of JSON on a pipe of its own.

A checkpoint counts once it is in the artifact store. While one is being stored the step goes on; of those
that it leaves meanwhile only the newest is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from foldline.artifacts.port import ArtifactError
from foldline.domain.artifacts import Artifact
from foldline.domain.work import LogEntry
from foldline.runtime.jobs import CHECKPOINTS, Line, Product

MOST_METRICS = 500
"""Series of one attempt whose last values are recorded; all of them are in its log."""

NOTE = "note"
"""The stream of these lines."""


class Notes:
    """Of one attempt. `told` is called for what is worth a report; True where it should go at once."""

    def __init__(
        self,
        folder: Path,
        *,
        keep: Callable[[Product], Awaitable[Artifact]],
        told: Callable[[bool], None],
        warn: Callable[[str], Awaitable[None]],
    ) -> None:
        self.fraction = 0.0
        self.message = ""
        self.metrics: dict[str, float] = {}
        self.checkpoint: Artifact | None = None
        self._folder = folder
        self._keep = keep
        self._told = told
        self._warn = warn
        self._newest: Product | None = None
        self._keeping: asyncio.Task[None] | None = None

    def take(self, lines: Sequence[Line]) -> None:
        """Lines of the stream of notes."""
        for line in lines:
            match parse(line.text):
                case {"progress": float(fraction), "message": str(message)}:
                    self.fraction, self.message = fraction, message
                    self._told(False)
                case {"metric": str(name), "value": float(value)}:
                    if name in self.metrics or len(self.metrics) < MOST_METRICS:
                        self.metrics[name] = value
                case {"checkpoint": dict(fields)}:
                    self._take_checkpoint(fields)

    async def end(self) -> None:
        """No more notes will come; wait for what is being stored."""
        if self._keeping is not None:
            await self._keeping

    def close(self) -> None:
        """Store nothing more."""
        if self._keeping is not None:
            self._keeping.cancel()

    def _take_checkpoint(self, fields: dict[str, Any]) -> None:
        if fields.get("file"):
            # A name, so that nothing but what is in the step's own folder is ever taken.
            fields = {**fields, "file": self._folder / CHECKPOINTS / Path(fields["file"]).name}
        if self._newest is not None and self._newest.file is not None:
            self._newest.file.unlink(missing_ok=True)
        self._newest = Product(**fields)
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep_newest(), name="checkpoints")

    async def _keep_newest(self) -> None:
        while self._newest is not None:
            product, self._newest = self._newest, None
            try:
                self.checkpoint = await self._keep(product)
            except (ArtifactError, OSError) as error:
                # The step need not know: it loses time, should it fail, and nothing else.
                await self._warn(f"a checkpoint could not be stored: {error}")
                continue
            finally:
                if product.file is not None:
                    with suppress(OSError):
                        product.file.unlink(missing_ok=True)
            self._told(True)


def parse(text: str) -> dict[str, Any]:
    """The note in a line; nothing where it is none."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def entry_of(line: Line, number: int, time: datetime) -> LogEntry:
    """The line as the log keeps it: notes in words, said by the system."""
    if line.stream == NOTE:
        text = in_words(line.text)
        return LogEntry(number=number, time=time, stream="system", text=text, rank=line.rank)
    return LogEntry(number=number, time=time, stream=line.stream, text=line.text, rank=line.rank)


def in_words(text: str) -> str:
    """A note for people who read the log."""
    match parse(text):
        case {"progress": float(fraction), "message": str(message)}:
            return f"progress {fraction:.0%} {message}".rstrip()
        case {"metric": str(name), "value": float(value), "step": int(step)}:
            return f"metric {name} = {value:g} (step {step})"
        case {"metric": str(name), "value": float(value)}:
            return f"metric {name} = {value:g}"
        case {"checkpoint": {"type": kind}}:
            return f"checkpoint ({kind})"
    return text
