"""Ray as a backend where no agent may be in the cluster: every attempt is a job of Ray's Jobs API, over HTTP.

Each costs more than a second, so it is for coarse steps. What is said of an attempt goes through the home
that this executor and the nodes share; the API only starts jobs, ends them and tells of those that end by
themselves.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import shlex
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from foldline.domain.errors import FoldlineError, Kind
from foldline.runtime import letters, remote, verdicts
from foldline.runtime.jobs import Job, Line, Outcome, StepFailure
from foldline.runtime.port import OnLines, OnStarted
from foldline_executor.ray.attempts import needs_of, no_room
from foldline_executor.ray.library import copy_of_runtime
from foldline_executor.roster import Roster

_OVER = ("SUCCEEDED", "FAILED", "STOPPED")
_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 1.0
_END_SECONDS = 30.0
_TRIES = 3


class Refused(Exception):
    """The API does not take the job, or is not there."""


class JobsApi:
    """The calls that are needed. `token` is what RAY_AUTH_TOKEN is elsewhere."""

    def __init__(self, address: str, token: str) -> None:
        try:
            import httpx
        except ImportError as error:
            message = "Ray's Jobs API needs httpx: pip install 'foldline[ray]'"
            raise FoldlineError(Kind.PRECONDITION, "EXTRA_MISSING", message) from error
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(base_url=address, headers=headers, timeout=_PATIENCE_SECONDS)
        self._errors = httpx.HTTPError

    async def close(self) -> None:
        await self._client.aclose()

    async def check(self) -> None:
        await self._call("GET", "/api/version")

    async def submit(self, submission: Mapping[str, Any]) -> None:
        """Twice is once: of a job that is there already the answer is an error, and it is ours."""
        for left in reversed(range(_TRIES)):
            try:
                await self._call("POST", "/api/jobs/", submission)
            except Refused:
                if await self.state(str(submission["submission_id"])):
                    return
                if not left:
                    raise
            else:
                return

    async def state(self, job: str) -> str:
        """Empty where there is no such job."""
        try:
            return str((await self._call("GET", f"/api/jobs/{job}"))["status"])
        except Refused:
            return ""

    async def end(self, job: str) -> None:
        """Returns when it has ended; and forget it there."""
        with suppress(Refused):
            await self._call("POST", f"/api/jobs/{job}/stop")
        deadline = time.monotonic() + _END_SECONDS
        while await self.state(job) not in (*_OVER, "") and time.monotonic() < deadline:  # noqa: ASYNC110 - far away
            await asyncio.sleep(_LOOK_SECONDS / 10)
        with suppress(Refused):
            await self._call("DELETE", f"/api/jobs/{job}")

    async def _call(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        try:
            answer = await self._client.request(method, path, json=content)
        except self._errors as error:
            raise Refused(f"Ray's Jobs API does not answer: {str(error) or type(error).__name__}") from error
        if answer.is_error:
            raise Refused(f"Ray's Jobs API answers {answer.status_code}: {answer.text[-500:]}")
        return answer.json()


class RayJobs:
    """`folder` is on a file system that all nodes share, and so is all that jobs name."""

    def __init__(
        self, folder: Path, address: str, token: str, *, place_seconds: float, environ: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._address = address
        self._api = JobsApi(address, token)
        self._place_seconds = place_seconds
        self._environ = dict(environ)
        self._roster = Roster()

    async def __aenter__(self) -> RayJobs:
        self._library = await asyncio.to_thread(copy_of_runtime, self._folder)
        try:
            await self._api.check()
        except Refused as error:
            await self._api.close()
            message = f"no Ray cluster at {self._address} lets this executor in: {error}"
            raise FoldlineError(Kind.UNAVAILABLE, "RAY_UNAVAILABLE", message) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._roster.close()
        await self._api.close()

    async def run(self, job: Job, on_lines: OnLines, on_started: OnStarted | None = None) -> Outcome:
        # Its process is new: there is nobody to share it with.
        alone = dataclasses.replace(job, is_shared=False)
        place = self._folder / "jobs" / submission_of(job)
        attempt = _Attempt(alone, place, self._library, self._api, self._environ, self._place_seconds)
        return await self._roster.run(attempt, on_lines, on_started)

    def stop(self, key: str, grace_seconds: float | None = None, *, forced: bool = False) -> bool:
        return self._roster.stop(key, grace_seconds, forced=forced)


class _Attempt:
    def __init__(
        self,
        job: Job,
        place: Path,
        library: Path,
        api: JobsApi,
        environ: Mapping[str, str],
        place_seconds: float,
    ) -> None:
        self.job = job
        self._place = place
        self._library = library
        self._api = api
        self._environ = environ
        self._place_seconds = place_seconds
        self._reader = letters.Reader(place)
        self._verdict: StepFailure | None = None
        self._stopping = asyncio.Event()
        self._is_over = asyncio.Event()
        self._has_begun = False
        self._is_laid_out = False

    def stop(self, grace_seconds: float | None, *, forced: bool = False) -> None:
        self._condemn(verdicts.STOPPED)
        if self._is_laid_out:
            self._reader.wish(grace_seconds, forced)

    def abandon(self) -> None:
        self._condemn(verdicts.lost("the backend ray was closed"))
        self._is_over.set()

    async def run(self, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        since, name = time.monotonic(), self._place.name
        try:
            await asyncio.to_thread(self._reader.lay_out, self.job, self._environ)
            self._is_laid_out = True
            await self._api.submit(self._submission())
            watching = asyncio.create_task(self._watch(name))
            try:
                outcome = await self._hear(on_lines, on_started)
            finally:
                watching.cancel()
        except Refused as error:
            outcome = Outcome(failure=verdicts.lost(str(error)))
            await on_lines([Line("system", str(error))])
        finally:
            await _to_the_end(self._tidy(name))
        if outcome.failure is not None and self._verdict is not None:
            outcome = dataclasses.replace(outcome, failure=self._verdict, outputs={})
        return dataclasses.replace(outcome, seconds=time.monotonic() - since)

    async def _hear(self, on_lines: OnLines, on_started: OnStarted | None) -> Outcome:
        async def hear(lines: Any) -> None:
            self._has_begun = True
            await on_lines(lines)

        def started() -> None:
            self._has_begun = True
            if on_started is not None:
                on_started()

        return await remote.hear(self._reader.messages(self._is_over), self.job, hear, started)

    async def _watch(self, name: str) -> None:
        """Keep the pulse; look whether the job is still there; give up one that finds no room."""
        since = time.monotonic()
        while True:
            self._reader.beat()
            state = await self._api.state(name)
            if state in _OVER:
                self._is_over.set()
            if state == "PENDING":
                if time.monotonic() - since > self._place_seconds:
                    self._condemn(no_room(self.job))
                if self._stopping.is_set():
                    self._is_over.set()
            await asyncio.sleep(_LOOK_SECONDS)

    def _submission(self) -> dict[str, Any]:
        needs = needs_of(self.job)
        command = [str(self.job.python), "-P", "-c", letters.BOOT, str(self._library), str(self._place)]
        return {
            "submission_id": self._place.name,
            "entrypoint": shlex.join(command),
            "entrypoint_num_cpus": needs["CPU"] * self.job.ranks,
            "entrypoint_num_gpus": needs.get("GPU", 0.0) * self.job.ranks,
            "entrypoint_memory": int(needs.get("memory", 0.0)) * self.job.ranks,
            "metadata": {"attempt": self.job.key},
        }

    def _condemn(self, verdict: StepFailure) -> None:
        self._verdict = self._verdict or verdict
        self._stopping.set()

    async def _tidy(self, name: str) -> None:
        await self._api.end(name)
        await asyncio.to_thread(shutil.rmtree, self._place, ignore_errors=True)


def submission_of(job: Job) -> str:
    """The same for the same attempt, whoever submits it."""
    return f"foldline-{hashlib.sha256(f'{job.key} {job.folder}'.encode()).hexdigest()[:32]}"


async def _to_the_end(work: Any) -> None:
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
