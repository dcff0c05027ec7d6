"""Which backend an attempt gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from foldline.chassis.settings import Secret
from foldline.domain.errors import FoldlineError
from foldline.runtime.jobs import Job, Line, Outcome, Program
from foldline.runtime.port import OnLines, OnStarted
from foldline_executor import backends
from foldline_executor.backends import Choice
from foldline_executor.home import hold
from foldline_executor.settings import Settings

JOB = Job(key="r/s/1", python=Path("python"), bundle=Path("bundle"), folder=Path("folder"))


class Named:
    """Says that it has run something by the number of seconds that it took."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.stopped: list[str] = []

    async def run(self, job: Job, on_lines: OnLines, on_started: OnStarted | None = None) -> Outcome:
        return Outcome(seconds=self.seconds)

    def stop(self, key: str, grace_seconds: float | None = None, *, forced: bool = False) -> bool:
        self.stopped.append(key)
        return self.seconds == 2

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


async def hear(lines: Sequence[Line]) -> None:
    pass


def in_image(image: str) -> Job:
    return dataclasses.replace(JOB, program=Program(line="true", image=image))


async def test_the_first_backend_is_the_usual_one() -> None:
    choice = Choice({"ray": Named(1), "container": Named(2)})

    assert (await choice.run(JOB, hear)).seconds == 1
    assert (await choice.run(in_image(""), hear)).seconds == 1


async def test_what_has_an_image_goes_to_containers() -> None:
    choice = Choice({"process": Named(1), "container": Named(2)})

    assert (await choice.run(in_image("alpine"), hear)).seconds == 2


async def test_an_image_without_containers_is_a_failure_of_the_platform() -> None:
    outcome = await Choice({"process": Named(1)}).run(in_image("alpine"), hear)

    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.reason) == ("infrastructure", "BACKEND_MISSING")


def test_a_stop_reaches_whoever_has_the_attempt() -> None:
    assert Choice({"process": Named(1), "container": Named(2)}).stop("r/s/1")
    assert not Choice({"process": Named(1)}).stop("r/s/1")


async def test_a_backend_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    settings = Settings(
        nats=Secret("n"), artifacts="a", token_key=Secret("k"), home=tmp_path, backends="process,docker"
    )
    with hold(tmp_path) as home, pytest.raises(FoldlineError, match="there is no backend 'docker'"):
        async with backends.opened(settings, home):
            pass


def test_backends_are_named_once_each_and_processes_are_the_default(tmp_path: Path) -> None:
    def names(text: str) -> tuple[str, ...]:
        settings = Settings(
            nats=Secret("n"), artifacts="a", token_key=Secret("k"), home=tmp_path, backends=text
        )
        return settings.backend_names

    assert names("process, container,process") == ("process", "container")
    assert names("") == ("process",)
