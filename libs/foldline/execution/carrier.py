"""One attempt: from a work order to a job of a backend, and from its outcome to what is reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET

from foldline.artifacts.port import ArtifactError, ArtifactStore
from foldline.domain.artifacts import Artifact, inline
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.failures import Failure
from foldline.domain.spec import Command
from foldline.domain.work import AttemptKey, Report, Work
from foldline.execution.inputs import Inputs
from foldline.execution.notes import NOTE, Notes
from foldline.runtime.failures import is_disk_full
from foldline.runtime.jobs import DEFAULT_GRACE_SECONDS, Facts, Job, Limits, Line, Outcome, Product, Program
from foldline.runtime.port import Backend, OnLines, OnStarted

INLINED_BYTES = 512 * 1024
"""Of an attempt's small values together; the largest beyond it are stored, so that its report stays small."""

PREVIEW_BYTES = 64 * 1024
"""No preview is larger; codecs stay well below."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended: `failure` is None when all outputs are stored."""

    outputs: dict[str, Artifact] = {}
    reads: tuple[str, ...] = ()
    failure: Failure | None = None
    seconds: float = 0.0
    max_rss_bytes: int = 0
    metrics: dict[str, float] = {}
    fraction: float = 0.0
    message: str = ""
    checkpoint: Artifact | None = None


class Carrier:
    """Carries out work orders with a backend, on a store."""

    def __init__(
        self, backend: Backend, store: ArtifactStore, inputs: Inputs, *, permits_pickle: bool
    ) -> None:
        """`permits_pickle`: steps that ask for pickle by name may have it."""
        self._permits_pickle = permits_pickle
        self._backend = backend
        self._store = store
        self._inputs = inputs

    async def job(self, work: Work, *, python: Path, bundle: Path, folder: Path) -> Job:
        """Everything resolved. Raises ArtifactError, OSError, and INVALID for what cannot be an input."""
        given = {name: await self._inputs.given(one) for name, one in work.inputs.items()}
        left = None if work.checkpoint is UNSET else await self._inputs.artifact(work.checkpoint)
        return Job(
            key=str(work.key),
            python=python,
            bundle=bundle,
            module="" if work.function is UNSET else work.function.module,
            function="" if work.function is UNSET else work.function.name,
            program=None if work.command is UNSET else _program(work.command),
            ranks=max(1, work.ranks),
            gpus=work.resources.gpu,
            folder=folder,
            inputs=given,
            outputs=tuple((output.name, output.type) for output in work.outputs),
            allow_pickle=work.allow_pickle and self._permits_pickle,
            pickle_forbidden=work.allow_pickle and not self._permits_pickle,
            run_seconds=work.timeouts.run_seconds,
            silence_seconds=work.timeouts.silence_seconds,
            grace_seconds=grace_of(work),
            checkpoint=left,
            facts=Facts(
                run_id=work.key.run_id,
                step=work.key.step,
                attempt=work.key.attempt,
                workspace=work.workspace,
                workflow=work.workflow,
            ),
            is_shared=work.isolation == "shared",
            limits=Limits(
                memory_bytes=work.resources.memory_bytes,
                cpu=work.resources.cpu,
                open_files=work.resources.open_files,
                disk_bytes=work.resources.disk_bytes,
            ),
        )

    async def run(
        self,
        job: Job,
        on_lines: OnLines,
        on_started: OnStarted,
        told: Callable[[Notes, bool], None],
    ) -> tuple[Outcome, Notes]:
        """To the end of the process, and of storing the checkpoints that matter."""

        async def hear(lines: Sequence[Line]) -> None:
            await on_lines(lines)
            if lines and lines[0].stream == NOTE and lines[0].rank == 0:
                notes.take(lines)

        async def warn(text: str) -> None:
            await on_lines([Line("system", text)])

        notes = Notes(job.folder, keep=self.stored, told=lambda at_once: told(notes, at_once), warn=warn)
        try:
            outcome = await self._backend.run(job, hear, on_started)
            if outcome.failure is not None:
                await notes.end()
        finally:
            notes.close()
        return outcome, notes

    async def result(self, outcome: Outcome, notes: Notes) -> Result:
        """With the outputs stored, or small values as they are. Raises ArtifactError, OSError."""
        failure = outcome.failure
        large = _too_many(outcome.outputs)
        outputs = {
            name: await self.stored(product, is_small=name not in large)
            for name, product in outcome.outputs.items()
        }
        return Result(
            outputs=outputs,
            reads=outcome.reads,
            failure=None if failure is None else msgspec.convert(failure, Failure, from_attributes=True),
            seconds=round(outcome.seconds, 6),  # a clock knows no more
            max_rss_bytes=outcome.max_rss_bytes,
            metrics=notes.metrics,
            fraction=notes.fraction,
            message=notes.message,
            checkpoint=notes.checkpoint,
        )

    async def stored(self, product: Product, *, is_small: bool = True) -> Artifact:
        """A small value's bytes are in the event alone (ADR 15). Raises ArtifactError, OSError."""
        if product.text is not None and is_small:
            return inline(msgspec.json.decode(product.text), product.type)
        if product.text is not None:
            content = product.text.encode()
            digest, size = await self._store.put_bytes(content), len(content)
        else:
            assert product.file is not None
            digest, size = await self._store.put_file(product.file, take=True)
        return Artifact(
            digest=digest,
            type=product.type,
            encoding=product.encoding,
            size_bytes=size,
            summary=product.summary,
            filename=product.filename,
            preview=await self._previewed(product),
        )

    async def _previewed(self, product: Product) -> str:
        """The digest of its preview; what is too large to be one is dropped."""
        content = msgspec.json.encode(product.preview) if product.preview else b""
        return await self._store.put_bytes(content) if 0 < len(content) <= PREVIEW_BYTES else ""


def _too_many(products: Mapping[str, Product]) -> frozenset[str]:
    """The largest of the small values, where all together are too much for one message."""
    if len(products) < 2:  # one is small enough
        return frozenset()
    sizes = {name: len(one.text.encode()) for name, one in products.items() if one.text is not None}
    excess = sum(sizes.values()) - INLINED_BYTES
    found = set()
    for name in reversed(sorted(sizes, key=sizes.__getitem__)):  # noqa: C413 - of equals the last
        if excess > 0:
            found.add(name)
            excess -= sizes[name]
    return frozenset(found)


def _program(command: Command) -> Program:
    return msgspec.convert(command, Program, from_attributes=True)


def started(key: AttemptKey, session: str) -> Report:
    return Report(key=key, session=session, kind="started")


def progressed(key: AttemptKey, session: str, notes: Notes, number: int) -> Report:
    """The newest of everything, so that of several such reports only the last one matters."""
    return Report(
        key=key,
        session=session,
        kind="progressed",
        fraction=notes.fraction,
        message=notes.message,
        checkpoint=UNSET if notes.checkpoint is None else notes.checkpoint,
        number=number,
    )


def ended(key: AttemptKey, session: str, result: Result, log_lines: int) -> Report:
    """Where it failed, with what the attempt leaves to the next one."""
    failure, checkpoint = result.failure, result.checkpoint
    has_failed = failure is not None
    return Report(
        key=key,
        session=session,
        kind="failed" if has_failed else "succeeded",
        outputs=result.outputs,
        reads=result.reads,
        failure=UNSET if failure is None else failure,
        seconds=result.seconds,
        max_rss_bytes=result.max_rss_bytes,
        log_lines=log_lines,
        metrics=result.metrics,
        fraction=result.fraction if has_failed else 0.0,
        message=result.message if has_failed else "",
        checkpoint=checkpoint if has_failed and checkpoint is not None else UNSET,
    )


def grace_of(work: Work) -> float:
    return work.timeouts.grace_seconds or DEFAULT_GRACE_SECONDS


def trouble(error: ArtifactError | FoldlineError | OSError) -> Failure:
    """What the platform could not do is not the step's fault, except where the release itself is unusable."""
    match error:
        case FoldlineError(kind=Kind.INVALID):
            return Failure(kind="invalid", reason=error.reason, message=error.message)
        case FoldlineError():
            return Failure(kind="infrastructure", reason=error.reason, message=error.message)
        case ArtifactError() if is_disk_full(error.__cause__):
            return Failure(kind="infrastructure", reason="DISK_FULL", message=str(error))
        case ArtifactError():
            return Failure(kind="infrastructure", reason="STORE_FAILED", message=str(error))
        case OSError() if is_disk_full(error):
            message = f"the disk of the executor's machine is full: {error}"
            return Failure(kind="infrastructure", reason="DISK_FULL", message=message)
        case OSError():
            message = f"the executor's machine failed: {error}"
            return Failure(kind="infrastructure", reason="DISK_FAILED", message=message)
