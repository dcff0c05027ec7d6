"""Steps on a cluster: the executors of this pool have its backend."""

from __future__ import annotations

import foldline as fl

POOL = "cluster"


@fl.step(pool=POOL)
def write(lines: int) -> fl.File:
    print("writing", lines)
    fl.log_metric("written", lines)
    file = fl.File("rows.txt")
    file.write_text("".join(f"row {number}\n" for number in range(lines)))
    return file


count = fl.command(
    "count",
    line='grep -c row "$INPUT_ROWS" > "$OUTPUTS/lines"',
    inputs={"rows": fl.File},
    outputs={"lines": int},
    pool=POOL,
)


@fl.step(pool=POOL, ranks=2, cpu=1)
def share() -> int:
    import os

    print("rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"])
    return int(os.environ["WORLD_SIZE"])


@fl.step(pool=POOL)
def nap() -> None:
    import time

    print("napping", flush=True)
    time.sleep(600)


@fl.step(pool=POOL)
def fail() -> None:
    raise ValueError("no such column")


@fl.workflow
def counts(lines: int = 5):
    return {"lines": count(write(lines)).lines, "size": share()}


@fl.workflow
def fails():
    fail()


@fl.workflow
def lasts():
    nap()
