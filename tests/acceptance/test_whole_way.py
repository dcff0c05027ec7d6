"""The whole way of a workflow, typed as a person types it: from file to record, across two workspaces."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.installation import EXAMPLES, Installation
from tests.waiting import until_sync

FLOWS = Path(__file__).parent / "flows"

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def finished(platform: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a run of digits in workspace `readers`, imported from the gallery of `default`."""
    terms = tmp_path_factory.mktemp("terms") / "TERMS.md"
    terms.write_text("Be kind.\n")
    platform.ask("workspace", "create", "readers")
    platform.release(EXAMPLES / "digits" / "digits.py")
    platform.ask("gallery", "publish", "digits", "--visibility", "public", "--agreement", f"terms={terms}")
    platform.ask("gallery", "subscribe", "default/digits", "--accept", "terms", workspace="readers")
    platform.ask("gallery", "import", "default/digits", "--as", "numbers", workspace="readers")
    platform.ask("configure", "numbers", "--set", "strength=2", workspace="readers")
    result = platform.call("start", "numbers", "--watch", workspace="readers", timeout=300)
    assert result.code == 0, result.out + result.err
    found: list[dict[str, Any]] = platform.ask("runs", workspace="readers")
    return str(found[0]["run_id"])


def test_the_run_has_the_saved_configuration_and_a_good_accuracy(
    platform: Installation, finished: str
) -> None:
    record = platform.ask("show", finished, workspace="readers")

    assert record["run"]["parameters"]["strength"] == 2
    assert record["run"]["outputs"]["metrics"]["value"]["accuracy"] >= 0.95
    assert {step["name"]: step["status"] for step in record["steps"]} == {
        "split": "completed",
        "train": "completed",
        "evaluate": "completed",
        "accept": "completed",
        "model_card": "completed",
        "reject": "skipped",
    }


def test_the_history_holds_and_every_attempt_is_in_it_once(platform: Installation, finished: str) -> None:
    result = platform.call("history", finished, workspace="readers")

    assert result.code == 0, result.out
    assert "the hash chain holds" in result.out
    assert result.out.count("StepScheduled") == result.out.count("AttemptSucceeded") == 4


def test_a_replay_shows_the_run_as_it_was(platform: Installation, finished: str) -> None:
    history = platform.ask("history", finished, workspace="readers")["events"]
    decided = next(event["version"] for event in history if event["type"] == "ConditionDecided")

    before = platform.ask("replay", finished, "--at", str(decided - 1), workspace="readers")
    after = platform.ask("replay", finished, "--at", str(decided), workspace="readers")

    statuses = [
        {step["name"]: step["status"] for step in state["steps"]}["accept"] for state in (before, after)
    ]
    assert statuses == ["waiting", "completed"]
    assert before["run"]["status"] == "running"


def test_the_log_of_a_step_is_what_it_printed(platform: Installation, finished: str) -> None:
    result = platform.call("logs", finished, "evaluate", workspace="readers")

    assert result.code == 0, result.err
    assert "accuracy 0.9" in result.out


def test_the_picture_is_fetched(platform: Installation, finished: str, tmp_path: Path) -> None:
    target = tmp_path / "confusion.png"

    platform.ask(
        "artifact", "get", finished, "model_card", "confusion", "-o", str(target), workspace="readers"
    )

    assert target.read_bytes().startswith(b"\x89PNG\r\n")


def test_another_workspace_does_not_see_the_run(platform: Installation, finished: str) -> None:
    result = platform.call("show", finished, workspace="default")

    assert result.code == 4
    assert "(UNKNOWN_RUN)" in result.err


def test_a_viewer_may_look_and_not_start(platform: Installation, finished: str) -> None:
    token = platform.ask("token", "create", "--role", "viewer", "--for", "guest", workspace="readers")[
        "token"
    ]

    looked = platform.call("show", finished, workspace="readers", token=token)
    started = platform.call("start", "numbers", workspace="readers", token=token)

    assert looked.code == 0, looked.err
    assert started.code == 4
    assert "hint: " in started.err


def test_an_agreement_that_was_not_accepted_is_named(platform: Installation, finished: str) -> None:
    platform.ask("workspace", "create", "strangers")

    result = platform.call("gallery", "subscribe", "default/digits", workspace="strangers")

    assert result.code == 4
    assert "(AGREEMENTS_NOT_ACCEPTED)" in result.err
    assert "--accept" in result.err


def test_ctrl_c_leaves_a_watched_run_running_and_stop_ends_it(platform: Installation, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    platform.ask("release", str(FLOWS / "troubles.py"), "--workflow", "waiting")
    run_id = platform.start("waiting", f"marker={marker}")
    until_sync(marker.exists, timeout=60)

    watching = watch(platform, run_id)
    assert watching.stdout is not None
    watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=30)

    assert watching.returncode == 130
    assert "the run goes on" in told
    assert platform.ask("show", run_id)["run"]["status"] == "running"

    again = watch(platform, run_id)
    platform.ask("stop", run_id, "--reason", "enough")
    shown, _ = again.communicate(timeout=60)

    assert again.returncode == 3
    assert "stop asked for: enough" in shown


def watch(platform: Installation, run_id: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "foldline.cli.main", "watch", run_id],
        env=os.environ | {"FOLDLINE_HOME": str(platform.home.folder)},  # noqa: TID251 - passed on
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
