"""The module that the steps of the suite come from. Runs in the backend's processes, so it imports nothing of
ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def add(a: int, b: int) -> int:
    return a + b


def broken() -> None:
    raise ValueError("no such column")


def leave(code: int) -> None:
    os._exit(code)


def kill(number: int) -> None:
    os.kill(os.getpid(), number)


def gorge(megabytes: int) -> int:
    """Take memory bit by bit, and touch it."""
    held = [bytearray(os.urandom(1024) * 1024) for _ in range(megabytes)]
    return len(held)


def gorge_in(group: str, megabytes: int) -> int:
    """The same as one of a group of processes whose memory the kernel bounds."""
    (Path(group) / "cgroup.procs").write_text(str(os.getpid()))
    return gorge(megabytes)


def refused() -> None:
    """Ask for more memory than any machine has."""
    bytearray(1 << 60)


def both() -> str:
    print("out")
    print("err", file=sys.stderr)
    sys.stdout.write("no newline")
    return "done"


def numbered(lines: int) -> int:
    for number in range(lines):
        print(number)
    return lines


def shout(megabytes: int) -> int:
    line = "x" * 8191 + "\n"
    for _ in range(megabytes * 128):
        sys.stdout.write(line)
    return megabytes


def large(megabytes: int) -> Path:
    file = Path("large.bin")
    with file.open("wb") as out:
        for _ in range(megabytes):
            out.write(b"\0" * 1024 * 1024)
    return file


def wait(path: str) -> None:
    Path(path).touch()
    print("waiting", flush=True)
    time.sleep(600)


def mute() -> None:
    time.sleep(600)


def stubborn(path: str) -> None:
    """Deaf to SIGTERM, and so are its children; one of them runs away."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", deaf])
    subprocess.Popen(SLEEP, start_new_session=True)
    Path(path).touch()
    time.sleep(600)


def abandon() -> str:
    """End, and leave somebody behind who holds the output open."""
    subprocess.Popen(SLEEP, start_new_session=True)
    return "done"


def polite(path: str) -> None:
    """On SIGTERM tidy up and end."""

    def end(*_: object) -> None:
        print("tidied", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    Path(path).touch()
    time.sleep(600)


def oddity() -> str:
    import oddity  # type: ignore[import-not-found]  # only the step's environment has it

    version: str = oddity.VERSION
    return version


def place() -> list[str]:
    return [str(Path.cwd()), *sorted(path.name for path in Path.cwd().iterdir())]


def environment() -> dict[str, str]:
    return dict(os.environ)


def first_rank_fails() -> None:
    if os.environ["RANK"] == "0":
        raise ValueError("the first")
    time.sleep(600)


def first_rank_talks() -> None:
    for number in range(24):
        time.sleep(0.25)
        if os.environ["RANK"] == "0":
            print(number)


def visible_gpu() -> str:
    time.sleep(1)  # so that two of them are there at once
    return os.environ["CUDA_VISIBLE_DEVICES"]
