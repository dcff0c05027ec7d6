"""Attempts of a local run: from a work order to a report, by way of the launcher and the artifact store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET

from foldline.artifacts.port import ArtifactError, ArtifactStore
from foldline.chassis.clock import SystemClock
from foldline.domain.artifacts import Artifact
from foldline.domain.failures import Failure
from foldline.domain.work import Input, LogEntry, Report, Work
from foldline.runtime.jobs import DEFAULT_GRACE_SECONDS, Facts, Given, Job, Line, Outcome, Product
from foldline.runtime.launcher import Launcher
from foldline.sdk.record import Record


class LocalAttempts:
    """Carries out work orders in step processes of this machine."""

    session = "local"

    def __init__(
        self,
        launcher: Launcher,
        store: ArtifactStore,
        record: Record,
        *,
        root: Path,
        python: Path,
        logged: Callable[[str, int, Line], None],
    ) -> None:
        self._launcher = launcher
        self._store = store
        self._record = record
        self._work = record.work
        self._root = root
        self._python = python
        self._logged = logged
        self._clock = SystemClock()

    async def carry_out(self, work: Work, report: Callable[[Report], None]) -> None:
        """Run one attempt to its end and report its start and its end."""
        folder = self._work / f"{work.key.step}.{work.key.attempt}"
        lines = 0

        async def on_lines(batch: Sequence[Line]) -> None:
            nonlocal lines
            for line in batch:
                lines += 1
                entry = LogEntry(number=lines, time=self._clock.now(), stream=line.stream, text=line.text)
                self._record.log(work.key.step, work.key.attempt, entry)
                self._logged(work.key.step, work.key.attempt, line)

        try:
            job = await self._job(work, folder)
            outcome = await self._launcher.run(job, on_lines, lambda: report(_started(work)))
            outputs = {name: await self._stored(product) for name, product in outcome.outputs.items()}
            report(_ended(work, outcome, outputs, lines))
        except (ArtifactError, OSError) as error:  # the artifact store, or this machine's disk
            failure = Failure(kind="infrastructure", reason="STORE_FAILED", message=str(error))
            report(
                Report(key=work.key, session=self.session, kind="failed", failure=failure, log_lines=lines)
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self, work: Work) -> None:
        """SIGTERM, and after the step's grace time SIGKILL."""
        self._launcher.stop(str(work.key))

    async def _job(self, work: Work, folder: Path) -> Job:
        inputs = {name: await self._given(value) for name, value in work.inputs.items()}
        return Job(
            key=str(work.key),
            python=self._python,
            bundle=self._root,
            module=work.function.module,
            function=work.function.name,
            folder=folder,
            inputs=inputs,
            outputs=tuple((output.name, output.type) for output in work.outputs),
            allow_pickle=work.allow_pickle,
            run_seconds=work.timeouts.run_seconds,
            grace_seconds=work.timeouts.grace_seconds or DEFAULT_GRACE_SECONDS,
            facts=Facts(
                run_id=work.key.run_id,
                step=work.key.step,
                attempt=work.key.attempt,
                workspace=work.workspace,
                workflow=work.workflow,
            ),
        )

    async def _given(self, value: Input) -> Given:
        artifact = value.artifact
        if artifact is UNSET:
            return Given(value=value.value)
        if artifact.value is not UNSET:
            return Given(value=artifact.value, digest=artifact.digest)
        file = self._store.local_path(artifact.digest)
        if file is None:
            file = self._work / artifact.digest.replace(":", "-")
            await self._store.fetch(artifact.digest, file)
        return Given(
            file=str(file),
            encoding=artifact.encoding,
            digest=artifact.digest,
            filename=artifact.filename,
        )

    async def _stored(self, product: Product) -> Artifact:
        value: object = UNSET
        if product.file is not None:
            digest, size = await self._store.put_file(product.file, take=True)
        else:
            content = (product.text or "null").encode()
            digest, size = await self._store.put_bytes(content), len(content)
            value = msgspec.json.decode(content)
        return Artifact(
            digest=digest,
            type=product.type,
            encoding=product.encoding,
            size_bytes=size,
            value=value,
            summary=product.summary,
            filename=product.filename,
        )


def _started(work: Work) -> Report:
    return Report(key=work.key, session=LocalAttempts.session, kind="started")


def _ended(work: Work, outcome: Outcome, outputs: Mapping[str, Artifact], lines: int) -> Report:
    failure = outcome.failure
    return Report(
        key=work.key,
        session=LocalAttempts.session,
        kind="succeeded" if failure is None else "failed",
        outputs=dict(outputs),
        reads=outcome.reads,
        failure=UNSET if failure is None else msgspec.convert(failure, Failure, from_attributes=True),
        seconds=outcome.seconds,
        max_rss_bytes=outcome.max_rss_bytes,
        log_lines=lines,
    )
