"""Functions and programs in containers: the executors of this pool have the backend of containers first."""

from __future__ import annotations

import foldline as fl

IMAGE = "foldline-test-base"
POOL = "containers"


@fl.step(pool=POOL)
def write(lines: int) -> fl.File:
    from pathlib import Path

    print("in a container:", Path("/.dockerenv").exists())
    fl.log_metric("written", lines)
    file = fl.File("rows.txt")
    file.write_text("".join(f"row {number}\n" for number in range(lines)))
    return file


count = fl.command(
    "count",
    line='echo counting; cat "$INPUT_ROWS" > "$OUTPUTS/copy"; grep -c row "$INPUT_ROWS" > "$OUTPUTS/lines"',
    image=IMAGE,
    inputs={"rows": fl.File},
    outputs={"copy": fl.File, "lines": int},
    pool=POOL,
)
leave = fl.command("leave", line="echo going; exit 3", image=IMAGE, outputs={"never": int}, pool=POOL)
gorge = fl.command(
    "gorge",
    line='x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo done',
    image=IMAGE,
    memory="32MiB",
    pool=POOL,
)
wait = fl.command("wait", line="echo waiting; exec sleep 600", image=IMAGE, pool=POOL)


@fl.step(pool=POOL)
def nap() -> None:
    import time

    print("napping", flush=True)
    time.sleep(600)


@fl.workflow
def counts(lines: int = 5):
    counted = count(write(lines))
    return {"copy": counted.copy, "lines": counted.lines}


@fl.workflow
def exits():
    leave()


@fl.workflow
def gorges():
    gorge()


@fl.workflow
def lasts():
    wait()
    nap()
