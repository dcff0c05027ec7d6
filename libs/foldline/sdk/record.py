"""The record of a local run: its events as JSON lines, and the logs of its attempts.

HOME/runs/<run id>/events.jsonl            one event a line: version, time, type, data
HOME/runs/<run id>/logs/<step>.<n>.jsonl   one line of log a line: number, time, stream, text
HOME/runs/<run id>/<step>.<n>.<index>/     the same for run <index> inside attempt n of a step
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from foldline.domain.run_events import RunEvent
from foldline.domain.spec import Json
from foldline.domain.work import LogEntry
from foldline.wire import events


class Entry(msgspec.Struct, frozen=True):
    """One line of events.jsonl."""

    version: int
    time: datetime
    type: str
    data: msgspec.Raw | Json


class Record:
    """The folder of one local run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = folder / "events.jsonl"
        self.work = folder / "work"  # there while the run goes on

    @classmethod
    def create(cls, home: Path, run_id: str) -> Record:
        """A new, empty record. The home keeps itself out of version control."""
        record = cls(home / "runs" / run_id)
        (record.folder / "logs").mkdir(parents=True)
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        return record

    def inside(self, name: str) -> Record:
        """A new record of a run inside this one, in a folder of its own."""
        record = Record(self.folder / name)
        (record.folder / "logs").mkdir(parents=True, exist_ok=True)
        return record

    def write(self, version: int, event: RunEvent, time: datetime) -> None:
        type_, payload = events.encode(event)
        self._append(self.events, Entry(version, time, type_, msgspec.Raw(payload.encode())))

    def log(self, step: str, attempt: int, entries: Sequence[LogEntry]) -> None:
        self._append(self.folder / "logs" / f"{step}.{attempt}.jsonl", *entries)

    def read(self) -> Iterator[Entry]:
        """The events, oldest first, with their data as plain JSON."""
        for line in self.events.read_bytes().splitlines():
            yield msgspec.json.decode(line, type=Entry)

    def _append(self, file: Path, *entries: msgspec.Struct) -> None:
        with file.open("ab") as target:
            target.write(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
