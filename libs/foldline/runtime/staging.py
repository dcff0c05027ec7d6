"""What a program in an image of its own finds, and what it leaves: laid out and collected by a process apart.

    python -P -m foldline.runtime.staging < one JSON object > one JSON object

Nothing of ours is inside such an image, and an executor decodes nothing that steps have made. So this stands
between the two. `prepare` lays inputs out and says what to execute; `gather` reads outputs and metrics.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from foldline.runtime import layout, programs
from foldline.runtime.failures import StepError
from foldline.runtime.jobs import Program


def prepare(order: Mapping[str, Any]) -> dict[str, Any]:
    """`command`, its `variables`, and the digests that were read (`reads`). Raises StepError."""
    return dataclasses.asdict(programs.lay_out(Program.of(order["program"]), order, Path(order["folder"])))


def gather(order: Mapping[str, Any]) -> dict[str, Any]:
    """`outputs` where the program has ended well, and its `metrics` in any case. Raises StepError."""
    folder = Path(order["folder"])
    metrics: dict[str, float] = {}
    if order["metrics_file"]:
        with suppress(StepError, OSError):
            metrics = layout.metrics(order["metrics_file"], folder)
    if order["outputs"] is None:
        return {"metrics": metrics}
    _forbid_ways_out(folder)
    products = layout.collect(order["outputs"], folder, with_libraries=False)
    return {"outputs": {name: one.fields() for name, one in products.items()}, "metrics": metrics}


def main() -> None:
    order = json.load(sys.stdin)
    try:
        said = prepare(order) if order["op"] == "prepare" else gather(order)
    except StepError as error:
        said = {"failure": dataclasses.asdict(error.failure)}
    json.dump(said, sys.stdout)


def _forbid_ways_out(folder: Path) -> None:
    """What the program left is read with our rights, not with its own: a link may only lead to what it could
    have read in its folder.
    """
    home = folder.resolve()
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(home):
            where = path.relative_to(folder)
            message = f"the program left a link out of its folder: {where} to {path.readlink()}"
            raise StepError("user", "OUTPUT_OUTSIDE", message)


if __name__ == "__main__":
    main()
