"""A site per test, with the steps that most tests use."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.executor.installation import Site

STEPS = """
    import os, sys, time
    from pathlib import Path
    from typing import NamedTuple

    import foldline as fl

    COUNT = 0
    SEEN = []
    SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


    class Two(NamedTuple):
        first: int
        second: str


    def nothing():
        return None


    def add(a, b):
        return a + b


    def two():
        return Two(1, "b")


    def broken():
        raise ValueError("no such column")


    def leave(code):
        os._exit(code)


    def leave_politely(code):
        sys.exit(code)


    def kill(number):
        os.kill(os.getpid(), number)


    def loud(lines):
        for number in range(lines):
            print("line", number)


    def both():
        print("out")
        print("err", file=sys.stderr)
        sys.stdout.buffer.write(b"\\xff raw\\n")
        print("x" * 100_000)
        sys.stdout.write("no newline")


    def telling():
        fl.progress(0.5, "half way")
        fl.log_metric("loss", 0.25, step=3)
        return fl.current().run_id


    def array(megabytes):
        import numpy as np
        return np.ones(megabytes * 1024 * 1024 // 8)


    def total(data):
        return float(data.sum())


    def many(count, size):
        return {f"part{number}": "x" * size for number in range(count)}


    def unstorable():
        return open("/dev/null")


    def count():
        global COUNT
        COUNT += 1
        SEEN.append(COUNT)
        os.environ["LEAK"] = "1"
        Path("left-behind").touch()
        return {"count": COUNT, "seen": len(SEEN), "files": sorted(os.listdir(".")), "cwd": os.getcwd()}


    def environment():
        return dict(os.environ)


    def wait(path):
        Path(path).touch()
        time.sleep(600)


    def until_there(path, begun):
        Path(begun).touch()
        while not Path(path).exists():
            time.sleep(0.01)


    def stubborn(path):
        import signal, subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c",
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
        runaway = subprocess.Popen(SLEEP, start_new_session=True)
        Path(path).write_text(f"{os.getpid()} {child.pid} {runaway.pid} {os.getppid()}")
        time.sleep(600)


    def lively(sign):
        for number in range(6):
            time.sleep(0.5)
            match sign:
                case "line":
                    print("here")
                case "dot":
                    print(".", end="", flush=True)
                case "progress":
                    fl.progress(number / 10)
                case "metric":
                    fl.log_metric("loss", number)
        return "alive"


    def leaves_a_daemon(path):
        import subprocess
        daemon = subprocess.Popen(SLEEP, start_new_session=True)
        Path(path).write_text(str(daemon.pid))
        return "done"


    def write_file():
        Path("report.csv").write_text("a,b")
        return Path("report.csv")


    def read_file(data):
        return [data.name, data.read_text()]
"""


@pytest.fixture
async def here(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    await site.release(STEPS)
    return site
