"""Previews as the command shows them."""

from __future__ import annotations

from typing import Any

import pytest

from foldline.cli import previews
from foldline.cli.output import Output

ARTIFACT = {"type": "table", "encoding": "parquet", "size_bytes": "2048", "digest": "sha256:ab"}


def shown(capfd: pytest.CaptureFixture[str], preview: dict[str, Any]) -> str:
    previews.show(Output(), ARTIFACT, preview)
    return capfd.readouterr().out


def test_a_table_has_its_columns_and_first_rows(capfd: pytest.CaptureFixture[str]) -> None:
    preview = {
        "kind": "table",
        "rows": 100.0,
        "columns": [
            {"name": "age", "type": "int64", "nulls": 3.0},
            {"name": "who", "type": "string", "nulls": 0.0},
        ],
        "head": [[7.0, "Ada"], [None, "Bob"]],
    }

    lines = shown(capfd, preview).splitlines()

    assert "size      2.0 KiB" in lines
    assert "rows      100" in lines
    assert "age     int64   3" in lines
    assert "AGE  WHO" in lines
    assert "7    Ada" in lines


def test_a_model_has_its_parameters(capfd: pytest.CaptureFixture[str]) -> None:
    said = shown(capfd, {"kind": "model", "class": "SVC", "parameters": {"C": 0.5, "kernel": "rbf"}})

    assert "class     SVC" in said
    assert "C          0.5" in said


def test_what_would_steer_the_terminal_is_not_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    said = shown(capfd, {"kind": "file", "name": "a\x1b[2Jb", "text": "first\x1b]0;title\x07\nsecond"})

    assert "\x1b" not in said
    assert "\x07" not in said
    assert "second" in said


def test_without_a_preview_there_are_still_facts(capfd: pytest.CaptureFixture[str]) -> None:
    assert "digest    sha256:ab" in shown(capfd, {})
