"""What a backend is: it carries out jobs, wherever their processes run. ADR 10.

`launcher.Launcher` is the backend of processes of this machine; those of containers and of clusters are the
executor's. tests/conformance/backends holds each of them to what is written here.

Law of every backend. Nothing that an attempt started outlives its `run`, nor the backend itself, whatever way
that ends: a kill included. Of the output no line is lost and no order changed, and while the listener is busy
the step waits. The names of files in the outcome are files on this machine, inside the job's folder.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from foldline.runtime.jobs import Job, Line, Outcome

OnLines = Callable[[Sequence[Line]], Awaitable[None]]
"""Takes the next lines of an attempt. While it has not returned, no more is read and the step has to wait."""

OnStarted = Callable[[], None]
"""Called once, when the step's process exists."""


class Backend(Protocol):
    """An asynchronous context manager: leaving it ends whatever still runs."""

    async def run(self, job: Job, on_lines: OnLines, on_started: OnStarted | None = None) -> Outcome:
        """One attempt from its start to its end. What a step did wrong, or the place it ran in, is in
        `Outcome.failure` and never an exception.

        `job.folder` does not exist before; whatever is left in it is the caller's. Cancelling kills the
        attempt and waits until it is gone; an error of `on_lines` does so and is raised. ValueError when an
        attempt with the same key runs already.
        """

    def stop(self, key: str, grace_seconds: float | None = None, *, forced: bool = False) -> bool:
        """Ask the attempt to end (SIGTERM), and end it after the grace; forced: end it at once, also while
        the grace of an earlier call is running. Its `run` returns with a failure of kind "stopped".

        At any moment between the first line of `run` and its return; False when there is no such attempt.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
