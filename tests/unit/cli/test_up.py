"""What `foldline up` makes of its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from foldline.cli import up
from foldline.cli.stack import detached
from foldline.cli.stack.installation import Options, StartFailed


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What the command would start."""
    found: list[Options] = []

    def start(options: Options) -> None:
        found.append(options)
        raise StartFailed("only asked")

    monkeypatch.setattr(detached, "start", start)
    return found


def call(folder: Path, *words: str, **env: str) -> Any:
    return CliRunner().invoke(up.up, ["--home", str(folder), "--detach", *words], env=env)


def test_artifacts_stay_in_the_home_unless_told(asked: list[Options], tmp_path: Path) -> None:
    call(tmp_path)
    call(tmp_path, "--artifacts", "s3://bucket/prefix")
    call(tmp_path, FOLDLINE_ARTIFACTS="s3://bucket/other")

    assert [one.artifacts for one in asked] == ["", "s3://bucket/prefix", "s3://bucket/other"]


def test_a_folder_for_artifacts_is_meant_from_here(
    asked: list[Options], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    call(tmp_path, "--artifacts", "kept")

    assert asked[0].artifacts == str(tmp_path / "kept")


def test_an_address_that_is_none_or_holds_keys_is_refused(asked: list[Options], tmp_path: Path) -> None:
    wrong = call(tmp_path, "--artifacts", "ftp://host/x")
    secret = call(tmp_path, "--artifacts", "s3://key:word@bucket")

    assert (wrong.exit_code, secret.exit_code) == (2, 2)
    assert "is no address of an artifact store" in wrong.output
    assert "AWS_SECRET_ACCESS_KEY instead" in " ".join(secret.output.split()).replace("│ ", "")
    assert "word@" not in secret.output
    assert not asked
