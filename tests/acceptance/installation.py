"""One real installation, started by `foldline up`, with its command line, as a person has them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.waiting import until_sync

from foldline.cli import main
from foldline.cli.stack.home import Home
from foldline.cli.stack.leash import leash
from foldline.cli.stack.postgres import EmbeddedPostgres

WORKFLOWS = Path(__file__).parent / "workflows"
EXAMPLES = Path(__file__).parents[2] / "examples"
QUESTIONS = frozenset({"history", "runs", "show", "status"})
"""Commands that only ask, again and again while something is waited for."""


class Result(msgspec.Struct, frozen=True):
    """What a command did. `json` is its answer where it was asked for JSON."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def foldline(*words: str, timeout: float = 120.0, env: dict[str, str] | None = None) -> Result:
    """Call the command, whatever comes of it."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "foldline.cli.main", *words],
        check=False,
        capture_output=True,
        env=os.environ | (env or {}),  # noqa: TID251 - passed on
        text=True,
        timeout=timeout,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def asked(*words: str, env: dict[str, str]) -> Result:
    """Call a command that only asks, without a program of its own: starting one for each look takes a core
    from what is looked at. In a thread, since the test's own may have a loop (browsers).
    """
    out, err = io.StringIO(), io.StringIO()

    def call() -> int:
        try:
            return main.call(list(words))
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1

    with pytest.MonkeyPatch.context() as environment, ThreadPoolExecutor(1) as thread:
        for name, value in env.items():
            environment.setenv(name, value)
        with redirect_stdout(out), redirect_stderr(err):
            code = thread.submit(call).result()
    return Result(code, out.getvalue(), err.getvalue())


class Installation:
    """A running installation."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @property
    def client(self) -> dict[str, str]:
        """What client.json says: server, console, token, workspace."""
        found: dict[str, str] = json.loads(self.home.client.read_text())
        return found

    def call(self, *words: str, workspace: str = "", token: str = "", timeout: float = 120.0) -> Result:
        """Call the command on this installation, whatever comes of it."""
        chosen = {
            "FOLDLINE_HOME": str(self.home.folder),
            "FOLDLINE_WORKSPACE": workspace,
            "FOLDLINE_TOKEN": token,
        }
        env = {key: value for key, value in chosen.items() if value}
        if words[0] in QUESTIONS and "--json" in words:
            return asked(*words, env=env)
        return foldline(*words, timeout=timeout, env=env)

    def ask(self, *words: str, workspace: str = "", token: str = "", timeout: float = 120.0) -> Any:
        """Call a command that must succeed; its JSON answer."""
        result = self.call(*words, "--json", workspace=workspace, token=token, timeout=timeout)
        assert result.code == 0, f"foldline {' '.join(words)}: {result.code}\n{result.out}\n{result.err}"
        return result.json

    def release(self, file: Path, *, workspace: str = "") -> str:
        """Release the workflow of a file; its name."""
        name: str = self.ask("release", str(file), workspace=workspace, timeout=300)["workflow"]
        return name

    def start(self, workflow: str, *settings: str, workspace: str = "") -> str:
        """Start a run; its id."""
        sets = [word for setting in settings for word in ("--set", setting)]
        run_id: str = self.ask("start", workflow, *sets, workspace=workspace)["run_id"]
        return run_id

    def finish(self, run_id: str, *, timeout: float = 120.0) -> dict[str, Any]:
        """Wait until a run has ended; its record."""

        def ended() -> dict[str, Any]:
            result = self.call("show", run_id, "--json")
            assert result.code == 0, result.err  # the installation may be hurt at the moment
            record: dict[str, Any] = result.json
            steps = {step["name"]: step["status"] for step in record["steps"]}
            assert record["run"]["status"] in {"completed", "failed", "stopped"}, steps
            return record

        return until_sync(ended, timeout)

    def run(self, workflow: str, *settings: str, timeout: float = 120.0) -> dict[str, Any]:
        """Start a run and wait until it has ended; its record."""
        return self.finish(self.start(workflow, *settings), timeout=timeout)

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """The events of a run, whose chain must hold."""
        answer = self.ask("history", run_id)
        assert answer["chain_ok"], answer["chain_error"]
        events: list[dict[str, Any]] = answer["events"]
        return events

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("status")
        return found

    def process(self, name: str) -> dict[str, Any]:
        """How `foldline status` describes one process."""
        found: dict[str, Any] = next(one for one in self.status()["processes"] if one["name"] == name)
        return found

    def kill(self, name: str) -> int:
        """As a crash does it, and without waiting for what comes after; the process that it was."""
        pid = self.running(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def running(self, name: str) -> int:
        """The process of that name; one that is just being restarted is waited for."""
        return until_sync(lambda: int(self.process(name)["pid"] or 0) or False, timeout=60)

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Stopped where it stands, as a machine that is suspended."""
        pid = self.running(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @property
    def dsn(self) -> str:
        ports = json.loads(self.home.ports.read_text())
        return EmbeddedPostgres(self.home.postgres, port=ports["postgres"]).dsn()


@contextmanager
def installed(
    folder: Path, *options: str, settings: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """`foldline up` in the foreground, ended at the end, and with us whatever happens."""
    home = Home(folder)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "foldline.cli.main", "up", "--home", str(folder), "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | dict(settings or {}),  # noqa: TID251 - passed on
        preexec_fn=leash(signal.SIGTERM),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if not process.stdout.readline():
            raise AssertionError(process.stderr.read())
        try:
            yield Installation(home)
        finally:
            process.terminate()
            process.communicate(timeout=60)
