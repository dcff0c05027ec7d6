"""One attempt on this machine, from a work order to how it ended. Knows backend and stores, no bus."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from foldline.artifacts.port import ArtifactError, ArtifactStore
from foldline.chassis.clock import new_id
from foldline.domain.errors import FoldlineError
from foldline.domain.work import Work
from foldline.execution.carrier import Carrier, Result, grace_of, trouble
from foldline.execution.inputs import Inputs
from foldline.execution.notes import Notes
from foldline.runtime.port import Backend
from foldline_executor.logs import AttemptLog
from foldline_executor.places import Places


class Runner:
    """Runs attempts."""

    def __init__(
        self, backend: Backend, places: Places, store: ArtifactStore, work: Path, *, permits_pickle: bool
    ) -> None:
        self._places = places
        self._store = store
        self._permits_pickle = permits_pickle
        self._backend = backend
        self._folders = f"{work}/{new_id()}"
        self._numbers = itertools.count(1)

    async def run(
        self,
        work: Work,
        attempt_log: AttemptLog,
        on_started: Callable[[], None],
        told: Callable[[Notes, bool], None],
    ) -> Result:
        """To the end, whatever that is. Raises only when it is cancelled, or for a bug."""
        folder = f"{self._folders}-{next(self._numbers)}"
        try:
            with self._places.stay(attempt_log.note) as stay:
                inputs = Inputs(self._store.local_path, stay.artifact)
                carrier = Carrier(self._backend, self._store, inputs, permits_pickle=self._permits_pickle)
                python = await stay.python(work.environment)
                bundle = await stay.bundle(work.bundle)
                job = await carrier.job(work, python=python, bundle=bundle, folder=Path(folder))
                outcome, notes = await carrier.run(job, attempt_log.add, on_started, told)
            if not attempt_log.lines:
                return await carrier.result(outcome, notes)
            result, _ = await asyncio.gather(carrier.result(outcome, notes), attempt_log.end())
            return result
        except (ArtifactError, FoldlineError, OSError) as error:
            failure = trouble(error)
            await attempt_log.note(failure.message)
            return Result(failure=failure)
        finally:
            # A folder in which nothing is the step's process has removed itself. Nobody waits for this.
            if _is_there(folder):
                asyncio.get_running_loop().run_in_executor(None, _remove, folder)

    def stop(self, work: Work, grace_seconds: float, *, forced: bool = False) -> bool:
        """Ask the step's process to end, forced: end it; False when there is none (yet, or any more)."""
        return self._backend.stop(str(work.key), grace_seconds or grace_of(work), forced=forced)


def _is_there(folder: str) -> bool:
    return os.path.exists(folder)  # noqa: PTH110 - quicker


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
