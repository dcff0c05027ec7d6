"""`foldline run`: a workflow from file to record on this machine, without any service."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.waiting import until_sync

from foldline.domain import evolve
from foldline.domain.run_events import RunEvent
from foldline.sdk.record import Record
from foldline.wire import events

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "examples" / "hello" / "hello.py"
DIGITS = ROOT / "examples" / "digits" / "digits.py"
TROUBLES = Path(__file__).parent / "flows" / "troubles.py"


def command(file: Path, home: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "foldline.cli.main", "run", str(file), "--home", str(home), *options]


def foldline_run(file: Path, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(file, home, *options), capture_output=True, text=True, timeout=120, check=False
    )


def answer_of(file: Path, home: Path, *options: str, code: int = 0) -> dict[str, Any]:
    result = foldline_run(file, home, "--json", *options)
    assert result.returncode == code, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def statuses(answer: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in answer["steps"]}


def test_a_run_completes_and_prints_logs_and_outputs(tmp_path: Path) -> None:
    result = foldline_run(HELLO, tmp_path, "--set", "name=You")

    assert result.returncode == 0, result.stderr
    assert "greet | Hello, You!" in result.stdout
    assert "run completed" in result.stdout
    assert '"Hello, You!"' in result.stdout


def test_the_record_folds_to_what_was_shown(tmp_path: Path) -> None:
    answer = answer_of(HELLO, tmp_path)

    record = Record(tmp_path / "runs" / answer["run_id"])
    entries = list(record.read())
    history: list[tuple[RunEvent, Any]] = [
        (events.decode(entry.type, json.dumps(entry.data)), entry.time)  # type: ignore[misc]  # of a run
        for entry in entries
    ]
    state = evolve.fold(history)

    assert [entry.version for entry in entries] == list(range(1, len(entries) + 1))
    assert state.status == answer["status"] == "completed"
    assert state.version == answer["version"]
    assert state.outputs["length"].value == 13
    assert (record.folder / "logs" / "greet.1.jsonl").read_text().count("Hello, world!") == 1


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    pytest.importorskip("sklearn")
    home = tmp_path_factory.mktemp("digits")
    return answer_of(DIGITS, home), home


def test_the_digits_are_learned_well_enough(accepted: tuple[dict[str, Any], Path]) -> None:
    answer, _ = accepted

    assert answer["outputs"]["metrics"]["value"]["accuracy"] >= 0.95
    assert statuses(answer) == {
        "split": "completed",
        "train": "completed",
        "evaluate": "completed",
        "accept": "completed",
        "model_card": "completed",
        "reject": "skipped",
    }


def test_the_card_has_a_picture_of_the_confusion(accepted: tuple[dict[str, Any], Path]) -> None:
    answer, home = accepted
    found = answer["outputs"]["confusion"]
    name = found["digest"].removeprefix("sha256:")

    content = (home / "artifacts" / "sha256" / name[:2] / name).read_bytes()

    assert found["type"] == "image"
    assert content.startswith(b"\x89PNG\r\n")


def test_a_model_that_is_not_good_enough_is_rejected_with_the_reason(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")

    answer = answer_of(DIGITS, tmp_path, "--set", "accept_at=0.9999")

    assert statuses(answer)["model_card"] == "skipped"
    assert answer["outputs"]["rejected"]["value"].endswith("is below 0.9999")
    assert "card" not in answer["outputs"]


def test_a_step_that_raises_fails_the_run_and_says_where(tmp_path: Path) -> None:
    answer = answer_of(TROUBLES, tmp_path, "--workflow", "raising", code=1)

    assert answer["status"] == "failed"
    assert statuses(answer) == {"number": "completed", "explode": "failed", "after_all": "stopped"}
    assert answer["failure"]["reason"] == "STEP_RAISED"
    assert answer["failure"]["error_class"] == "LookupError"
    assert "troubles.py" in answer["failure"]["traceback"]


def test_people_see_the_steps_traceback(tmp_path: Path) -> None:
    result = foldline_run(TROUBLES, tmp_path, "--workflow", "raising")

    assert result.returncode == 1
    assert "no answer for 6" in result.stdout
    assert 'raise LookupError(f"no answer for {value}")' in result.stdout


def test_a_step_is_tried_again_as_its_policy_says(tmp_path: Path) -> None:
    marker = tmp_path / "tries"

    answer = answer_of(TROUBLES, tmp_path / "home", "--workflow", "retrying", "--set", f"marker={marker}")

    assert answer["outputs"]["output"]["value"] == "after 3 tries"
    assert answer["steps"][0]["attempts"] == 3


def test_a_step_that_leaves_by_itself_fails_with_its_exit_code(tmp_path: Path) -> None:
    answer = answer_of(TROUBLES, tmp_path, "--workflow", "exiting", code=1)

    assert answer["failure"]["exit_code"] == 137


def test_ctrl_c_stops_the_run(tmp_path: Path) -> None:
    marker = tmp_path / "started"
    options = ["--workflow", "waiting", "--set", f"marker={marker}", "--json"]
    process = subprocess.Popen(
        command(TROUBLES, tmp_path / "home", *options), stdout=subprocess.PIPE, text=True
    )
    until_sync(marker.exists, timeout=30)

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 3
    assert json.loads(output)["status"] == "stopped"


def test_an_isolated_run_has_just_the_workflows_requirements(tmp_path: Path) -> None:
    answer = answer_of(TROUBLES, tmp_path, "--workflow", "looking", "--isolated")

    assert answer["outputs"]["output"]["value"] == {"iniconfig": True, "msgspec": False}


def test_an_isolated_run_shows_how_its_environment_is_built_and_keeps_the_shells_packages_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(msgspec.__file__).parents[1]))

    result = foldline_run(TROUBLES, tmp_path, "--workflow", "looking", "--isolated")

    assert result.returncode == 0, result.stderr
    assert "environment | building the environment: Python" in result.stdout
    assert "environment |  + iniconfig==" in result.stdout
    assert '"msgspec":false' in result.stdout.replace(" ", "")


def test_a_run_of_some_steps_takes_the_rest_from_an_earlier_run(tmp_path: Path) -> None:
    first = answer_of(HELLO, tmp_path, "--set", "name=You", "--until", "greet")
    assert statuses(first) == {"greet": "completed", "count": "skipped"}

    second = answer_of(HELLO, tmp_path, "--only", "count", "--inputs-from", first["run_id"][:13])

    assert second["outputs"]["length"]["value"] == len("Hello, You!")
    assert statuses(second) == {"greet": "completed", "count": "completed"}
    assert not list((tmp_path / "runs" / second["run_id"] / "logs").glob("greet*"))


@pytest.mark.parametrize(
    ("file", "options", "told"),
    [
        (HELLO, ("--only", "count"), "takes greet.output, but greet is not selected"),
        (HELLO, ("--from", "cuont"), "did you mean count?"),
        (HELLO, ("--scene", "all"), "has no scene all"),
        (HELLO, ("--only", "count", "--inputs-from", "0000"), "no run"),
        (HELLO, ("--answer", "greet"), "step=answer"),
        (HELLO, ("--answer", "great=yes"), "did you mean greet?"),
        (HELLO, ("--set", "nmae=x"), "did you mean name?"),
        (DIGITS, ("--set", "accept_at=2"), "must be at most 1"),
        (DIGITS, ("--set", "accept_at=high"), "not JSON"),
        (DIGITS, ("--set", "accept_at"), "name=value"),
        (TROUBLES, (), "SEVERAL_WORKFLOWS"),
        (TROUBLES, ("--workflow", "retrying"), "marker"),
        (TROUBLES.with_name("nowhere.py"), (), "does not exist"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_starts(
    file: Path, options: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    result = foldline_run(file, tmp_path, *options)

    assert result.returncode in (2, 4)
    assert told in result.stderr
    assert not result.stdout
    assert not (tmp_path / "runs").exists()
