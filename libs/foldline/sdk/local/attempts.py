"""Attempts of local runs: from a work order to reports, by way of the launcher and the artifact store."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from foldline.artifacts.port import ArtifactError, ArtifactStore
from foldline.chassis.clock import Clock, new_id
from foldline.domain import paths
from foldline.domain.errors import FoldlineError
from foldline.domain.work import AttemptKey, Report, Work
from foldline.execution import carrier
from foldline.execution.carrier import Carrier, Result
from foldline.execution.cuts import DEFAULT_LIMIT, Cut, Timed
from foldline.execution.inputs import Inputs
from foldline.execution.notes import Notes, entry_of
from foldline.execution.progress import Pace
from foldline.runtime.jobs import Line
from foldline.runtime.launcher import Launcher
from foldline.sdk.record import Record

SESSION = "local"

Logged = Callable[[str, int, Line], None]
"""Told each line that an attempt writes: path of the step, attempt number, line."""


class LocalAttempts:
    """Carries out work orders in step processes of this machine."""

    def __init__(
        self,
        launcher: Launcher,
        store: ArtifactStore,
        *,
        work: Path,
        root: Path,
        python: Path,
        logged: Logged,
        clock: Clock,
    ) -> None:
        """`work` is a folder that is removed with all that is in it once the run has ended."""
        self._launcher = launcher
        self._store = store
        self._carrier = Carrier(launcher, store, Inputs(store.local_path, self._fetch), permits_pickle=True)
        self._work = work
        self._root = root
        self._python = python
        self._logged = logged
        self._clock = clock

    async def carry_out(self, work: Work, record: Record, report: Callable[[Report], None]) -> None:
        """Run one attempt to its end and report its start, what it tells, and its end."""
        key, told = work.key, 0
        kept = _Log(key, record)

        async def on_lines(batch: Sequence[Line]) -> None:
            kept.add(batch, self._clock.now())
            for line in batch:
                self._logged(paths.path_of(key.run_id, key.step), key.attempt, line)

        def tell(notes: Notes) -> None:
            nonlocal told
            told += 1
            report(carrier.progressed(key, SESSION, notes, told))

        paces: list[Pace] = []

        def on_told(notes: Notes, at_once: bool) -> None:
            if not paces:
                paces.append(Pace(lambda: tell(notes)))
            paces[0].tell(at_once)

        folder = self._work / new_id()
        try:
            job = await self._carrier.job(work, python=self._python, bundle=self._root, folder=folder)
            on_started = lambda: report(carrier.started(key, SESSION))  # noqa: E731
            outcome, notes = await self._carrier.run(job, on_lines, on_started, on_told)
            result = await self._carrier.result(outcome, notes)
        except (ArtifactError, FoldlineError, OSError) as error:  # the artifact store, or this machine's disk
            result = Result(failure=carrier.trouble(error))
        finally:
            for pace in paces:
                pace.end()
            kept.end()
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        report(carrier.ended(key, SESSION, result, kept.lines))

    def stop(self, key: AttemptKey, *, forced: bool = False) -> bool:
        """SIGTERM, and after the step's grace time SIGKILL; forced, that at once. False when it has ended."""
        return self._launcher.stop(str(key), forced=forced)

    async def _fetch(self, digest: str) -> Path:
        file = self._work / digest.replace(":", "-")
        if not file.is_file():
            await self._store.fetch(digest, file)
        return file


class _Log:
    """The log of one attempt, up to the same limit as on an installation."""

    def __init__(self, key: AttemptKey, record: Record) -> None:
        self.lines = 0
        self._key = key
        self._record = record
        self._cut = Cut(DEFAULT_LIMIT)

    def add(self, lines: Sequence[Line], now: datetime) -> None:
        self._write(taken for line in lines if (taken := self._cut.take(Timed(line, now))) is not None)

    def end(self) -> None:
        self._write(self._cut.end())

    def _write(self, lines: Iterable[Timed]) -> None:
        entries = [entry_of(one.line, number, one.time) for number, one in enumerate(lines, self.lines + 1)]
        if entries:
            self.lines += len(entries)
            self._record.log(self._key.step, self._key.attempt, entries)
