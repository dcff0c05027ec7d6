"""One real installation, started by `foldline up`, with its command line, as a person has them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgspec
from tests.waiting import until_sync

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.api.recorder.v1 import recorder_service_pb2_grpc as services
from foldline.chassis.channels import OPTIONS
from foldline.cli.stack.home import Home
from foldline.cli.stack.leash import leash
from foldline.cli.stack.postgres import EmbeddedPostgres
from foldline.wire import messages

WORKFLOWS = Path(__file__).parent / "workflows"
EXAMPLES = Path(__file__).parents[2] / "examples"


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
        return foldline(*words, timeout=timeout, env={key: value for key, value in chosen.items() if value})

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

    def look(self, run_id: str) -> dict[str, Any]:
        """What `foldline show RUN --json` prints, asked again and again: a program for each look would take a
        core from what is looked at. The installation may be hurt at the moment: then the look fails.
        """
        client = self.client
        with grpc.insecure_channel(client["server"], options=OPTIONS) as channel:
            try:
                answer = services.RecorderServiceStub(channel).GetRun(
                    pb.GetRunRequest(workspace=client["workspace"], run_id=run_id),
                    metadata=(("authorization", f"Bearer {client['token']}"),),
                    timeout=30,
                )
            except grpc.RpcError as error:
                raise AssertionError(str(error)) from error
        record: dict[str, Any] = json.loads(msgspec.json.encode(messages.to_dict(answer)))
        return record

    def finish(self, run_id: str, *, timeout: float = 120.0) -> dict[str, Any]:
        """Wait until a run has ended; its record."""

        def ended() -> dict[str, Any]:
            record = self.look(run_id)
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

    def kill(self, name: str) -> None:
        """As a crash does it, and without waiting for what comes after."""
        os.kill(self.process(name)["pid"], signal.SIGKILL)

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Stopped where it stands, as a machine that is suspended."""
        pid = self.process(name)["pid"]
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
def installed(folder: Path, *options: str) -> Iterator[Installation]:
    """`foldline up` in the foreground, ended at the end, and with us whatever happens."""
    home = Home(folder)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "foldline.cli.main", "up", "--home", str(folder), "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
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
