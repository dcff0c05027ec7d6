"""Logging is set up once per process, so each test is a process."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

PREAMBLE = """
from foldline.chassis import logs
import logging, sys, structlog
log = logs.logger()
"""


def _run(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_lines_are_json_where_nobody_watches() -> None:
    [line] = _run("""
logs.configure("registry")
structlog.contextvars.bind_contextvars(run_id="r1")
log.info("step_assigned", step="train", n=3)
""")

    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "step_assigned",
        "level": "info",
        "service": "registry",
        "run_id": "r1",
        "step": "train",
        "n": 3,
    }


def test_lines_are_for_people_on_a_terminal() -> None:
    primary, secondary = pty.openpty()
    code = PREAMBLE + 'logs.configure("registry")\nlog.info("step_assigned")\n'
    subprocess.run([sys.executable, "-c", code], stdout=secondary, check=True, timeout=60)
    os.close(secondary)

    text = os.read(primary, 10_000).decode()
    os.close(primary)

    assert "step_assigned" in text
    assert not text.startswith("{")


def test_an_exception_is_one_line_with_its_traceback() -> None:
    [line] = _run("""
logs.configure("registry", "json")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it_broke")
""")

    assert "ZeroDivisionError" in json.loads(line)["exception"]


def test_other_libraries_log_in_the_same_form() -> None:
    [line] = _run("""
logs.configure("registry", "json")
logging.getLogger("uvicorn").warning("port %d is slow", 80)
logging.getLogger("uvicorn").debug("not shown")
""")

    entry = json.loads(line)
    assert (entry["event"], entry["logger"], entry["service"]) == ("port 80 is slow", "uvicorn", "registry")


@pytest.mark.parametrize(("level", "shown"), [("info", ["told"]), ("debug", ["whispered", "told"])])
def test_debug_lines_are_shown_only_when_asked_for(level: str, shown: list[str]) -> None:
    lines = _run(f"""
logs.configure("registry", "json", "{level}")
log.debug("whispered")
log.info("told")
""")

    assert [json.loads(line)["event"] for line in lines] == shown


def test_a_service_does_not_load_what_draws_for_terminals() -> None:
    [line] = _run("""
logs.configure("registry", "json")
log.info("loaded", rich="rich" in sys.modules)
import rich
""")

    assert json.loads(line)["rich"] is False


def test_a_value_that_json_does_not_know_is_shown_by_its_repr() -> None:
    [line] = _run("""
from foldline.chassis.settings import Secret
logs.configure("registry", "json")
log.info("odd", value=object, key=Secret("hush"), error=ValueError("no"))
""")

    assert "hush" not in line
    assert json.loads(line)["error"] == "ValueError('no')"
