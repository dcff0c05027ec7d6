"""The backends that the executor's settings name, and which of them an attempt gets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Self

from foldline.domain.errors import FoldlineError, Kind
from foldline.runtime.jobs import Job, Line, Outcome, StepFailure
from foldline.runtime.launcher import Launcher
from foldline.runtime.port import Backend, OnLines, OnStarted
from foldline_executor.home import Home
from foldline_executor.settings import Settings, ray_token, step_environ

CONTAINER = "container"


class Choice:
    """Several backends as one: what has an image goes to containers, everything else to the first."""

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        self._backends = dict(backends)
        self._usual = next(iter(self._backends.values()))

    async def run(self, job: Job, on_lines: OnLines, on_started: OnStarted | None = None) -> Outcome:
        if job.program is None or not job.program.image:
            return await self._usual.run(job, on_lines, on_started)
        if (containers := self._backends.get(CONTAINER)) is not None:
            return await containers.run(job, on_lines, on_started)
        message = f"the step runs in image {job.program.image}, and this executor runs none"
        await on_lines([Line("system", message)])
        return Outcome(failure=StepFailure(kind="infrastructure", reason="BACKEND_MISSING", message=message))

    def stop(self, key: str, grace_seconds: float | None = None, *, forced: bool = False) -> bool:
        return any(one.stop(key, grace_seconds, forced=forced) for one in self._backends.values())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Whoever opened the backends closes them."""


@asynccontextmanager
async def opened(settings: Settings, home: Home) -> AsyncIterator[Backend]:
    """All of them, until the block ends. INVALID for a name that is none."""
    async with AsyncExitStack() as stack:
        found = {
            name: await stack.enter_async_context(_backend(name, settings, home))
            for name in settings.backend_names
        }
        yield Choice(found)


def _backend(name: str, settings: Settings, home: Home) -> AbstractAsyncContextManager[Backend]:
    match name:
        case "process":
            return Launcher(home.root / "launcher", environ=step_environ(), cap=max(8, settings.slot_count))
        case "container":
            return _containers(settings, home)
        case "ray":
            return _ray(settings, home)
    message = f"there is no backend {name!r}; FOLDLINE_BACKENDS names some of process, container, ray"
    raise FoldlineError(Kind.INVALID, "BAD_SETTING", message)


def _containers(settings: Settings, home: Home) -> AbstractAsyncContextManager[Backend]:
    from foldline_executor.container import Containers, Terms

    terms = Terms(
        owner=f"{settings.name} {home.root}",
        image=settings.container_image,
        network=settings.container_network,
        pull=settings.container_pull,
    )
    return Containers(settings.container_socket, terms, environ=step_environ())


def _ray(settings: Settings, home: Home) -> AbstractAsyncContextManager[Backend]:
    if settings.ray_jobs:
        from foldline_executor.ray.jobs import RayJobs

        return RayJobs(
            home.root / "ray",
            settings.ray_jobs,
            ray_token(),
            place_seconds=settings.ray_place_seconds,
            environ=step_environ(),
        )
    from foldline_executor.ray import RayCluster, Terms

    terms = Terms(
        address=settings.ray_address,
        namespace=settings.ray_namespace,
        place_seconds=settings.ray_place_seconds,
    )
    return RayCluster(home.root / "ray", terms, environ=step_environ())
