"""Importing author's files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from foldline.sdk import source
from foldline.sdk.problems import AuthoringError

FLOW = """
import foldline as fl

@fl.step
def one() -> int:
    return 1

@fl.workflow
def {name}():
    one()
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})


def rule_of(file: Path, name: str = "") -> str:
    with pytest.raises(AuthoringError) as caught:
        source.workflow(file, name)
    (problem,) = caught.value.problems
    return problem.rule


def test_the_only_workflow_needs_no_name(tmp_path: Path) -> None:
    file = tmp_path / "flow_a.py"
    file.write_text(FLOW.format(name="first"))

    assert source.workflow(file).name == "first"


def test_one_of_several_is_chosen_by_name(tmp_path: Path) -> None:
    file = tmp_path / "flow_b.py"
    file.write_text(FLOW.format(name="first") + "\n\n@fl.workflow\ndef second():\n    one()\n")

    assert source.workflow(file, "second").name == "second"
    assert rule_of(file) == "SEVERAL_WORKFLOWS"
    assert rule_of(file, "third") == "NO_WORKFLOW"


def test_a_file_of_the_same_name_in_another_folder_is_another_module(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "flow_c.py").write_text(FLOW.format(name=name))

    assert source.workflow(tmp_path / "one" / "flow_c.py").name == "one"
    assert source.workflow(tmp_path / "two" / "flow_c.py").name == "two"


def test_a_file_may_not_take_the_name_of_a_known_module(tmp_path: Path) -> None:
    file = tmp_path / "json.py"
    file.write_text(FLOW.format(name="first"))

    assert rule_of(file) == "ILLEGAL_FILE_NAME"


def test_a_file_name_that_cannot_be_imported_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "my-flow.py"
    file.write_text(FLOW.format(name="first"))

    assert rule_of(file) == "ILLEGAL_FILE_NAME"


def test_a_syntax_error_is_placed(tmp_path: Path) -> None:
    file = tmp_path / "flow_d.py"
    file.write_text("x = 1\nif:\n")

    with pytest.raises(AuthoringError) as caught:
        source.load(file)

    (problem,) = caught.value.problems
    assert (problem.rule, problem.site.file, problem.site.line) == ("IMPORT_FAILED", str(file), 2)


def test_a_file_without_a_workflow_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "flow_e.py"
    file.write_text("x = 1\n")

    assert rule_of(file) == "NO_WORKFLOW"


def test_of_several_workflows_the_one_that_no_other_uses_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "flow_f.py"
    file.write_text(
        "import foldline as fl\n"
        "@fl.step\ndef one(x: int) -> int:\n    return x\n"
        "@fl.workflow\ndef inner(x: int):\n    return one(x)\n"
        "@fl.workflow\ndef outer():\n    return inner(1)\n"
    )

    assert source.workflow(file).name == "outer"
    assert source.workflow(file, "inner").name == "inner"
