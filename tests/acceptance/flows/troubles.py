"""Workflows whose steps do what steps should not do."""

import importlib.util
import os
import time
from pathlib import Path

import foldline as fl


@fl.step
def number() -> int:
    return 6


@fl.step
def explode(value: int) -> int:
    raise LookupError(f"no answer for {value}")


@fl.step(retry=fl.Retry(max_attempts=3, delay=0.01))
def flaky(marker: str) -> str:
    """Fails until the marker file has three lines."""
    file = Path(marker)
    with file.open("a") as lines:
        lines.write("tried\n")
    tries = len(file.read_text().splitlines())
    if tries < 3:
        raise ConnectionError(f"try {tries}")
    return f"after {tries} tries"


@fl.step
def leave() -> None:
    os._exit(137)


@fl.step(grace=5)
def wait(marker: str) -> None:
    Path(marker).touch()
    time.sleep(60)


@fl.step
def after_all(value: int) -> int:
    return value


@fl.step
def look() -> dict:
    """Which packages the step's own environment has."""
    return {name: importlib.util.find_spec(name) is not None for name in ("iniconfig", "msgspec")}


@fl.workflow(requirements=["iniconfig"])
def looking():
    return look()


@fl.workflow
def raising() -> None:
    after_all(explode(number()))


@fl.workflow
def retrying(marker: str):
    return flaky(marker)


@fl.workflow
def exiting() -> None:
    leave()


@fl.workflow
def waiting(marker: str) -> None:
    wait(marker)
