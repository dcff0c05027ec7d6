"""The backend of processes: starts attempts on this machine and brings back how they ended.

Used by executors and by local runs; see `port` for what it keeps.

    async with Launcher(folder, environ={"PATH": "/usr/bin:/bin", "HOME": "/home/me"}) as launcher:
        outcome = await launcher.run(job, on_lines, on_started)

For each (python, bundle, module) there is one warm parent process that has imported the module. A fresh
attempt, or each rank of one, has a fork of it for itself, in a session of its own; shared ones take turns in
such a process. A parent ends with its launcher, an attempt with its parent, whatever way they go. What a step
did wrong is in `outcome.failure`, never an exception here.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from foldline.runtime.attempts import Attempt
from foldline.runtime.cores import Cores
from foldline.runtime.jobs import Given, Job, Line, Outcome, Product, StepFailure
from foldline.runtime.port import OnLines, OnStarted
from foldline.runtime.ranks import Ranks
from foldline.runtime.warm import LIBRARY, TURNS, WarmParent

__all__ = [
    "Given",
    "Job",
    "Launcher",
    "Line",
    "OnLines",
    "OnStarted",
    "Outcome",
    "Product",
    "StepFailure",
]

IMPORT_SECONDS = 60.0
"""What a step with a time limit may take on top of it for importing its module, the first time."""

PROGRAMS = "foldline.runtime.programs"
"""What the warm parent of programs imports instead of an author's module; services do not, it has codecs."""

_Place = tuple[str, str, str]


class Launcher:
    """Warm parents, and the attempts that run now."""

    def __init__(
        self, folder: Path, *, environ: Mapping[str, str], cap: int = 8, idle_seconds: float = 600.0
    ) -> None:
        """`folder` is the launcher's own. `environ` is all that a step's process sees; TMPDIR is added.

        At most `cap` parents stay warm when idle, each for `idle_seconds`.
        """
        self._folder = folder
        self._environ = dict(environ)
        self._cap = cap
        self._idle_seconds = idle_seconds
        self._parents: dict[_Place, WarmParent] = {}
        self._attempts: dict[str, Attempt | Ranks] = {}
        self._cores = Cores()
        self._sweeper: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Launcher:
        _link_library(self._folder / LIBRARY)
        shutil.rmtree(self._folder / TURNS, ignore_errors=True)  # of one that was killed
        (self._folder / TURNS).mkdir()
        self._sweeper = asyncio.create_task(self._sweep(), name="launcher-sweep")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends every parent, and with it any attempt that is still there, at once."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for place in list(self._parents):
            self._close(place)
        await asyncio.gather(*self._closing)

    async def run(self, job: Job, on_lines: OnLines, on_started: OnStarted | None = None) -> Outcome:
        """Run one attempt to its end. Cancelling kills it; an error of `on_lines` does so and is raised."""
        if job.key in self._attempts:
            raise ValueError(f"attempt {job.key} runs already")
        if job.program is not None and job.program.image:
            message = (
                f"image {job.program.image}: steps in containers need an executor with a container engine"
            )
            failure = StepFailure(kind="invalid", reason="IMAGE_NOT_SUPPORTED", message=message)
            return Outcome(failure=failure)
        attempt = self._attempts[job.key] = Attempt(job) if job.ranks == 1 else Ranks(job, self._run)
        try:
            if isinstance(attempt, Ranks):
                return await attempt.run(on_lines, on_started)
            return await self._run(attempt, on_lines, on_started)
        finally:
            del self._attempts[job.key]

    def stop(self, key: str, grace_seconds: float | None = None, *, forced: bool = False) -> bool:
        """SIGTERM to the attempt's process group, SIGKILL after the grace. False when there is none.

        Forced, SIGKILL at once, also while the grace of an earlier stop is running.
        """
        attempt = self._attempts.get(key)
        if attempt is not None:
            attempt.stop(grace_seconds, forced=forced)
        return attempt is not None

    async def _run(self, attempt: Attempt, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        job = attempt.job
        attempt.lay_out()
        place = (str(job.python), str(job.bundle), job.module)
        if job.program is not None:
            # Programs need nothing of their release in the warm parent: those of an environment share one.
            place = (str(job.python), str(self._folder / LIBRARY), PROGRAMS)
        parent = self._parent(place)
        parent.waiting += 1
        try:
            failure = await attempt.wait_until(parent.ready, IMPORT_SECONDS)
        finally:
            parent.waiting -= 1
            if not parent.is_usable and not parent.waiting:
                self._close(place, parent)
        if failure is not None:
            await _hand_over(parent, on_lines)
            await on_lines(_epitaph(failure))
            return Outcome(failure=failure, seconds=attempt.seconds)
        await _hand_over(parent, on_lines)
        parent.running += 1
        cores = self._cores.take(job.limits.cpu)
        try:
            outcome = await attempt.run(parent, on_lines, on_started, cores)
            if last := _last_words(outcome):
                await on_lines(last)
            return outcome
        finally:
            self._cores.give_back(cores)
            parent.running -= 1
            parent.last_used = time.monotonic()
            if not parent.is_usable:
                self._close(place, parent)
            self._trim()

    def _parent(self, place: _Place) -> WarmParent:
        parent = self._parents.pop(place, None)
        if parent is None:
            python, bundle, module = place
            parent = WarmParent(Path(python), Path(bundle), module, self._folder, self._environ)
        self._parents[place] = parent  # the newest is the last
        return parent

    def _trim(self) -> None:
        excess = len(self._parents) - self._cap
        if excess > 0:
            idle = [place for place, parent in self._parents.items() if parent.is_idle]
            for place in idle[:excess]:
                self._close(place)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(30.0, self._idle_seconds))
            horizon = time.monotonic() - self._idle_seconds
            for place, parent in list(self._parents.items()):
                if parent.is_idle and parent.last_used < horizon:
                    self._close(place)

    def _close(self, place: _Place, only: WarmParent | None = None) -> None:
        parent = self._parents.get(place)
        if parent is None or (only is not None and parent is not only):
            return
        del self._parents[place]
        task = asyncio.create_task(parent.close(), name="parent-close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _hand_over(parent: WarmParent, on_lines: OnLines) -> None:
    """What the module printed while it was imported belongs to the log of the first attempt."""
    while parent.import_lines:
        await on_lines([parent.import_lines.popleft()])


def _last_words(outcome: Outcome) -> list[Line]:
    lines = []
    if outcome.left:
        text = f"the step left behind {'; '.join(outcome.left)}: its process is not used again"
        lines.append(Line("system", text))
    return lines if outcome.failure is None else lines + _epitaph(outcome.failure)


def _epitaph(failure: StepFailure) -> list[Line]:
    """The last lines of a log. What a step raised it has written itself."""
    if failure.reason == "STEP_RAISED":
        return []
    has_told = failure.reason in ("MEMORY_EXCEEDED", "DISK_FULL")
    traces = [] if has_told else [Line("stderr", text) for text in failure.traceback.splitlines()]
    return [*traces, *(Line("system", text) for text in failure.message.splitlines())]


def _link_library(folder: Path) -> None:
    """A folder with this package and none of its neighbours, for the sys.path of other environments."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "foldline"
    target = Path(__file__).parent.parent
    if not (link.is_symlink() and link.readlink() == target):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
