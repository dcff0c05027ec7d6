"""Where a client finds its server, token and workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foldline.domain.errors import FoldlineError
from foldline.sdk import context


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SERVER", "TOKEN", "WORKSPACE"):
        monkeypatch.delenv(f"FOLDLINE_{name}", raising=False)
    monkeypatch.setenv("FOLDLINE_HOME", str(tmp_path))


@pytest.fixture
def client_file(tmp_path: Path) -> Path:
    file = tmp_path / "client.json"
    file.write_text(
        json.dumps({"server": "127.0.0.1:1", "token": "own", "workspace": "w", "console": "http://c"})
    )
    return file


def test_the_installations_own_file_is_the_default(client_file: Path) -> None:
    found = context.find()

    assert (found.server, found.token.value, found.workspace, found.console) == (
        "127.0.0.1:1",
        "own",
        "w",
        "http://c",
    )


def test_the_environment_goes_over_the_file_and_options_over_both(
    client_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLDLINE_TOKEN", "environment")
    monkeypatch.setenv("FOLDLINE_WORKSPACE", "other")

    assert context.find().token.value == "environment"
    assert context.find().workspace == "other"
    assert context.find(token="given", workspace="mine").token.value == "given"
    assert context.find(token="given", workspace="mine").workspace == "mine"


def test_the_files_token_is_never_sent_to_another_server(client_file: Path) -> None:
    with pytest.raises(FoldlineError) as caught:
        context.find(server="elsewhere:1")

    assert caught.value.reason == "NO_TOKEN"


def test_without_any_server_the_error_says_where_it_was_looked_for() -> None:
    with pytest.raises(FoldlineError, match=r"client\.json") as caught:
        context.find()

    assert caught.value.reason == "NO_SERVER"


def test_a_broken_file_is_named(client_file: Path) -> None:
    client_file.write_text("{")

    with pytest.raises(FoldlineError, match=r"client\.json"):
        context.find()


def test_the_token_does_not_show_itself(client_file: Path) -> None:
    assert "own" not in repr(context.find())
