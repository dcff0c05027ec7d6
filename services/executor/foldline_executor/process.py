"""One attempt on this machine, from a work order to how it ended. Knows launcher and stores, no bus."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import UNSET

from foldline.artifacts.port import ArtifactError, ArtifactStore
from foldline.chassis.clock import new_id
from foldline.domain.artifacts import Artifact
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.failures import Failure
from foldline.domain.work import Input, Work
from foldline.runtime.jobs import DEFAULT_GRACE_SECONDS, Facts
from foldline.runtime.launcher import Given, Job, Launcher, Outcome, Product
from foldline_executor.logs import AttemptLog
from foldline_executor.places import Places


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended: `failure` is None when all outputs are stored."""

    outputs: dict[str, Artifact] = {}
    reads: tuple[str, ...] = ()
    failure: Failure | None = None
    seconds: float = 0.0
    max_rss_bytes: int = 0


class Runner:
    """Runs attempts."""

    def __init__(self, launcher: Launcher, places: Places, store: ArtifactStore, work: Path) -> None:
        self._launcher = launcher
        self._places = places
        self._store = store
        self._work = work

    async def run(self, work: Work, attempt_log: AttemptLog, on_started: Callable[[], None]) -> Result:
        """To the end, whatever that is. Raises only when it is cancelled, or for a bug."""
        folder = self._work / new_id()
        try:
            job = await self._prepare(work, folder)
            outcome = await self._launcher.run(job, attempt_log.add, on_started)
            result, _ = await asyncio.gather(self._keep(outcome), attempt_log.end())
            return result
        except (ArtifactError, FoldlineError, OSError) as error:
            failure = _trouble(error)
            await attempt_log.note(failure.message)
            return Result(failure=failure)
        finally:
            # Nobody waits for this.
            asyncio.get_running_loop().run_in_executor(None, _remove, folder)

    def stop(self, work: Work, grace_seconds: float) -> bool:
        """Ask the step's process to end; False when there is none (yet, or any more)."""
        return self._launcher.stop(str(work.key), grace_seconds or _grace(work))

    async def _prepare(self, work: Work, folder: Path) -> Job:
        python, bundle = await asyncio.gather(
            self._places.python(work.environment), self._places.bundle(work.bundle)
        )
        return Job(
            key=str(work.key),
            python=python,
            bundle=bundle,
            module=work.function.module,
            function=work.function.name,
            folder=folder,
            inputs={name: await self._given(one) for name, one in work.inputs.items()},
            outputs=tuple((output.name, output.type) for output in work.outputs),
            allow_pickle=work.allow_pickle,
            run_seconds=work.timeouts.run_seconds,
            grace_seconds=_grace(work),
            facts=Facts(
                run_id=work.key.run_id,
                step=work.key.step,
                attempt=work.key.attempt,
                workspace=work.workspace,
                workflow=work.workflow,
            ),
        )

    async def _given(self, one: Input) -> Given:
        artifact = one.artifact
        if artifact is UNSET:
            return Given(value=one.value)
        if artifact.value is not UNSET:
            return Given(value=artifact.value, digest=artifact.digest)
        return Given(
            file=str(await self._places.artifact(artifact.digest)),
            encoding=artifact.encoding,
            digest=artifact.digest,
            filename=artifact.filename,
        )

    async def _keep(self, outcome: Outcome) -> Result:
        failure = outcome.failure
        outputs = {name: await self._stored(product) for name, product in outcome.outputs.items()}
        return Result(
            outputs=outputs,
            reads=outcome.reads,
            failure=None if failure is None else msgspec.convert(failure, Failure, from_attributes=True),
            seconds=outcome.seconds,
            max_rss_bytes=outcome.max_rss_bytes,
        )

    async def _stored(self, product: Product) -> Artifact:
        value: object = UNSET
        if product.text is not None:
            content = product.text.encode()
            digest, size = await self._store.put_bytes(content), len(content)
            value = msgspec.json.decode(content)
        else:
            assert product.file is not None
            digest, size = await self._store.put_file(product.file, take=True)
        return Artifact(
            digest=digest,
            type=product.type,
            encoding=product.encoding,
            size_bytes=size,
            value=value,
            summary=product.summary,
            filename=product.filename,
        )


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _grace(work: Work) -> float:
    return work.timeouts.grace_seconds or DEFAULT_GRACE_SECONDS


def _trouble(error: ArtifactError | FoldlineError | OSError) -> Failure:
    """What the platform could not do is not the step's fault, except where the release itself is unusable."""
    match error:
        case FoldlineError(kind=Kind.INVALID):
            return Failure(kind="invalid", reason=error.reason, message=error.message)
        case FoldlineError():
            return Failure(kind="infrastructure", reason=error.reason, message=error.message)
        case ArtifactError():
            return Failure(kind="infrastructure", reason="STORE_FAILED", message=str(error))
        case OSError():
            return Failure(
                kind="infrastructure", reason="DISK_FAILED", message=f"the executor's machine failed: {error}"
            )
