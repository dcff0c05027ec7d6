"""Small files, small functions, and no module that says nothing by its name."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.tree import ROOT, hand_written

LONGEST_FILE = 600
LONGEST_FUNCTION = 60
#: Words that attract whatever has no other home.
EMPTY_WORDS = {
    "common",
    "utils",
    "util",
    "helpers",
    "helper",
    "misc",
    "shared",
    "core",
    "base",
    "manager",
    "service",
}


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_is_longer_than_600_lines() -> None:
    files = hand_written(".py", ".sql", ".ts", ".tsx", ".css")
    lengths = {shown(path): len(path.read_text().splitlines()) for path in files}

    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {}
    for path in hand_written(".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long[f"{shown(path)}:{node.name}"] = length

    assert long == {}


def test_every_module_says_what_it_is_for() -> None:
    modules = [path for path in hand_written(".py") if path.parts[len(ROOT.parts)] != "tests"]

    silent = [shown(path) for path in modules if ast.get_docstring(ast.parse(path.read_text())) is None]

    assert silent == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = [shown(path) for path in hand_written(".py") if path.stem in EMPTY_WORDS]

    assert named == []
