"""The whole platform with its artifacts in a real S3 server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.installation import WORKFLOWS, Installation, installed
from tests.s3 import BUCKET, KEY, SECRET, S3Server, running
from tests.waiting import until_sync

MEBIBYTES = 64


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def on_s3(server: S3Server) -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="foldline-"))
    with pytest.MonkeyPatch.context() as environment:
        for name, value in server.environment.items():
            environment.setenv(name, value)
        try:
            with installed(folder / "home", "--artifacts", f"s3://{BUCKET}/here") as installation:
                yield installation
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def record(on_s3: Installation) -> dict[str, Any]:
    workflow = on_s3.release(WORKFLOWS / "stored.py")
    return on_s3.run(workflow, f"mebibytes={MEBIBYTES}", timeout=240)


def test_a_large_array_a_table_a_model_and_a_folder_go_through(record: dict[str, Any]) -> None:
    assert record["run"]["status"] == "completed", record["run"].get("failure")
    outputs = {name: found["value"] for name, found in record["run"]["outputs"].items()}
    size = MEBIBYTES * 1024 * 1024
    assert outputs == {
        "found": {"size": size, "rows": 1000, "features": 2},
        "files": ["rows.txt: 1000", f"size.txt: {size}"],
    }


def test_what_is_in_the_store_can_be_fetched(
    on_s3: Installation, record: dict[str, Any], tmp_path: Path
) -> None:
    answer = on_s3.ask("artifact", "get", record["run"]["run_id"], "draw", "-o", str(tmp_path / "array.npy"))

    assert answer["encoding"] == "npy"
    assert (tmp_path / "array.npy").stat().st_size == answer["size_bytes"] > MEBIBYTES * 1024 * 1024


def test_logs_are_kept_there_too(on_s3: Installation, record: dict[str, Any]) -> None:
    assert on_s3.call("logs", record["run"]["run_id"], "fit").code == 0


def test_nothing_is_kept_in_the_home(on_s3: Installation, record: dict[str, Any]) -> None:
    assert record["run"]["status"] == "completed"
    assert not [path for path in on_s3.home.artifacts.rglob("*") if path.is_file()]


def test_no_key_is_in_any_log_or_event(on_s3: Installation, record: dict[str, Any]) -> None:
    written = [path.read_text(errors="replace") for path in on_s3.home.log("x").parent.iterdir()]
    said = str(on_s3.history(record["run"]["run_id"])) + str(on_s3.status())

    assert written
    for text in (*written, said):
        assert KEY not in text
        assert SECRET not in text


@pytest.mark.long  # its patience; what an executor does meanwhile: tests/integration/life/test_bounds.py
def test_a_store_that_was_away_is_used_again_when_it_is_back(on_s3: Installation, server: S3Server) -> None:
    workflow = on_s3.ask("release", str(WORKFLOWS / "stored.py"))["workflow"]
    server.kill()
    run_id = on_s3.start(workflow, "mebibytes=3")

    until_sync(lambda: "STORE_FAILED" in str(on_s3.history(run_id)), 120)
    server.start()

    record = on_s3.finish(run_id, timeout=180)
    assert record["run"]["status"] == "completed"
    assert record["run"]["outputs"]["found"]["value"]["size"] == 3 * 1024 * 1024


def test_a_preview_is_shown(on_s3: Installation, record: dict[str, Any]) -> None:
    found = on_s3.ask("artifact", "show", record["run"]["run_id"], "tabulate")

    assert found["preview"]["kind"] == "table"
    assert [column["name"] for column in found["preview"]["columns"]] == ["a", "b", "label"]
    said = on_s3.call("artifact", "show", record["run"]["run_id"], "fit")
    assert said.code == 0
    assert "LogisticRegression" in said.out
