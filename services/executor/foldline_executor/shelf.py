"""Folders of what was fetched once: inputs and unpacked bundles. Bounded; the longest unused go first.

What an attempt holds never goes, however long the attempt takes.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

from foldline.chassis.clock import new_id

PARTIAL = ".partial"
"""In the names of what is not whole; `home` removes what a killed process left of it."""

NOTED_SECONDS = 10.0
"""So exact is the time of the last use: to note each one would cost more than to find what is wanted."""


LOOKED_SECONDS = 1.0
"""So long what was there is taken to be there still: somebody would have to remove it by hand."""


class Sight:
    """Whether there is something at a path, looked at once a second while there is."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._seen = -LOOKED_SECONDS

    def is_there(self) -> bool:
        now = time.monotonic()
        if now - self._seen < LOOKED_SECONDS:
            return True
        if is_there := os.path.exists(self._path):  # noqa: PTH110 - quicker
            self._seen = now
        return is_there


class _Item:
    """One that was taken at some time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sight = Sight(path)
        self.takers = 0
        self.noted = -NOTED_SECONDS

    def note_use(self) -> None:
        now = time.monotonic()
        if now - self.noted >= NOTED_SECONDS:
            self.noted = now
            with suppress(FileNotFoundError):
                os.utime(self.path)


class Shelf:
    """One folder. Taking is for the event loop, trimming for a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._items: dict[str, _Item] = {}
        self._lock = threading.Lock()

    def take(self, name: str) -> Path:
        """Where it is or will be; it stays until it is given back."""
        with self._lock:
            item = self._items.get(name)
            if item is None:
                item = self._items[name] = _Item(self._folder / name)
            item.takers += 1
            item.note_use()
        return item.path

    def is_there(self, name: str) -> bool:
        """Of what was taken and not given back yet: is it whole, or still to be brought?"""
        return self._items[name].sight.is_there()

    def give_back(self, name: str) -> None:
        with self._lock:
            item = self._items[name]
            item.takers -= 1
            item.note_use()  # until now, not only from when it was taken

    def trim_bytes(self, limit: int) -> None:
        """Bring the files together under the limit."""
        files = self._by_use()
        excess = sum(size for _, size, _ in files) - limit
        for _, size, path in files:
            if excess <= 0:
                return
            if self._remove(path):
                excess -= size

    def trim_count(self, limit: int, resting_seconds: float) -> None:
        """Bring their number under the limit, but keep what was used that short a while ago."""
        found = self._by_use()
        horizon = time.time() - resting_seconds
        for used, _, path in found[: max(0, len(found) - limit)]:
            if used > horizon:
                return
            self._remove(path)

    def _by_use(self) -> list[tuple[float, int, Path]]:
        """The longest unused first."""
        found = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if PARTIAL not in path.name:
                    stat = path.stat()
                    found.append((stat.st_mtime, stat.st_size, path))
        return sorted(found)

    def _remove(self, path: Path) -> bool:
        """At once for whoever looks, then piece by piece."""
        gone = path.with_name(f"{path.name}{PARTIAL}-{new_id()}")
        with self._lock:
            item = self._items.get(path.name)
            if item is not None and item.takers:
                return False
            self._items.pop(path.name, None)
            with suppress(FileNotFoundError):
                path.rename(gone)
        if gone.is_dir():
            shutil.rmtree(gone, ignore_errors=True)
        else:
            gone.unlink(missing_ok=True)
        return True
