"""The digest of a step's code changes with what can change what the step does, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import foldline as fl
from foldline.sdk.codes import Codes

FLOW = '''
"""What the module is for."""
import math
import foldline as fl
import shapes
from tools import numbers

LIMIT = 3


def helper(x):
    return numbers.half(x) + LIMIT


@fl.step(retry=fl.Retry(max_attempts=2))
def first(x: int) -> int:
    return helper(x)


@fl.step
def second(x: int) -> int:
    import heavy

    return heavy.work(first(x))


@fl.step
def third(x: int) -> int:
    from tools.more import extra

    return extra(x) + 3


@fl.workflow
def flow(x: int = fl.param(1, ge=0)):
    return third(second(x))
'''
FILES = {
    "flow.py": FLOW,
    "shapes.py": "import colors\n\ndef area(x):\n    return x * colors.RED\n",
    "colors.py": "RED = 1\n",
    "heavy.py": "def work(x):\n    return x\n",
    "unused.py": "VALUE = 1\n",
    "tools/__init__.py": "",
    "tools/numbers.py": "from . import rounding\n\ndef half(x):\n    return rounding.down(x / 2)\n",
    "tools/rounding.py": "def down(x):\n    return int(x)\n",
    "tools/more.py": "def extra(x):\n    return x + 1\n",
}
DATA = {"README.md": "1", "limits.csv": "2"}

EVERY = {"first", "second", "third"}


def digests(files: dict[str, str], data: dict[str, str] | None = None) -> dict[str, str]:
    codes = Codes(files, DATA if data is None else data)
    return {name: codes.of("flow", name) for name in sorted(EVERY)}


BEFORE = digests(FILES)


def changed(files: dict[str, str], data: dict[str, str] | None = None) -> set[str]:
    after = digests(files, data)
    return {name for name in EVERY if after[name] != BEFORE[name]}


def edited(path: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[path]
    return {**FILES, path: FILES[path].replace(old, new)}


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("flow.py", "return helper(x)\n", "return helper(x) + 1\n", {"first", "second"}),
        ("flow.py", "first(x))", "first(x)) + 1", {"second"}),
        ("flow.py", "extra(x) + 3", "extra(x) + 4", {"third"}),
        ("flow.py", "LIMIT = 3", "LIMIT = 4", EVERY),
        ("flow.py", "numbers.half(x) + LIMIT", "numbers.half(x)", EVERY),
        ("flow.py", "is for.", "is good for.", EVERY),
        ("flow.py", "third(second(x))", "second(third(x))", set()),
        ("flow.py", "max_attempts=2", "max_attempts=3", {"second"}),
        ("flow.py", "LIMIT = 3", "LIMIT  =  3  # items at most", set()),
        ("flow.py", "ge=0", "ge=1", set()),
        ("shapes.py", "x * colors", "x + colors", EVERY),
        ("colors.py", "RED = 1", "RED = 2", EVERY),
        ("heavy.py", "return x", "return 2 * x", {"second"}),
        ("unused.py", "VALUE = 1", "VALUE = 2", set()),
        ("tools/numbers.py", "x / 2", "x / 3", EVERY),
        ("tools/rounding.py", "int(x)", "round(x)", EVERY),
        ("tools/more.py", "x + 1", "x + 2", {"third"}),
    ],
)
def test_a_change_reaches_the_steps_that_it_can_change(
    path: str, old: str, new: str, expected: set[str]
) -> None:
    assert changed(edited(path, old, new)) == expected


def test_another_file_reaches_every_step() -> None:
    assert changed(FILES, {**DATA, "limits.csv": "3"}) == EVERY
    assert changed(FILES, {"README.md": "1"}) == EVERY


def test_a_new_module_reaches_nobody_until_it_is_imported_or_hides_another() -> None:
    assert changed({**FILES, "new.py": "X = 1\n"}) == set()
    assert changed({**FILES, "heavy/__init__.py": "def work(x): ...\n"}) == {"second"}
    assert changed({**FILES, "random.py": "def choice(x): ...\n"}) == EVERY


def test_a_package_around_a_step_is_part_of_it() -> None:
    files = {"all/__init__.py": "X = 1\n", "all/flow.py": "import foldline as fl\n@fl.step\ndef a(): ...\n"}

    before = Codes(files, {}).of("all.flow", "a")

    assert Codes({**files, "all/__init__.py": "X = 2\n"}, {}).of("all.flow", "a") != before


def test_a_module_that_is_imported_back_is_part_as_a_whole() -> None:
    files = {**FILES, "colors.py": "import flow\nRED = 1\n"}
    before = Codes(files, DATA).of("flow", "first")
    files["flow.py"] = FLOW.replace("extra(x) + 3", "extra(x) + 4")

    assert Codes(files, DATA).of("flow", "first") != before


@pytest.mark.parametrize(
    "line",
    [
        "import importlib",
        "from importlib import import_module",
        "import pickle",
        "import subprocess",
        "import sys as s",
        "from sys import modules",
        "x = __import__('unused')",
        "x = eval('1')",
        "exec('1')",
        "x = globals()",
        "import sys; x = sys.modules",
        "import sys; sys.path.append('more')",
        "import os; os.system('true')",
        "x = [one for one in object.__subclasses__()]",
        "from shapes import *",
        "SCRIPT = 'unused.py'",
    ],
)
def test_what_cannot_be_followed_makes_the_whole_bundle_part(line: str) -> None:
    files = {**FILES, "colors.py": f"{line}\nRED = 1\n"}
    before = digests(files)

    after = digests({**files, "unused.py": "VALUE = 2\n"})

    assert all(after[name] != before[name] for name in EVERY)


def test_what_cannot_be_followed_in_one_step_leaves_the_others_alone() -> None:
    files = {**FILES, "flow.py": FLOW.replace("import heavy", "import heavy, importlib")}
    before = digests(files)

    after = digests({**files, "unused.py": "VALUE = 2\n"})

    assert {name for name in EVERY if after[name] != before[name]} == {"second"}


def test_a_step_whose_decorators_or_defaults_do_more_is_never_left_out() -> None:
    for old, new in (
        ("@fl.step\ndef third(x: int)", "@fl.step\n@shapes.register\ndef third(x: int)"),
        ("@fl.step\ndef third(x: int)", "@fl.step\ndef third(x: int = shapes.count())"),
    ):
        files = edited("flow.py", old, new)
        before = digests(files)
        files["flow.py"] = files["flow.py"].replace("extra(x) + 3", "extra(x) + 4")

        assert digests(files)["first"] != before["first"]


def test_a_module_named_in_a_string_is_part() -> None:
    files = edited("flow.py", "extra(x) + 3", "extra(x, 'unused')")
    before = digests(files)

    after = digests({**files, "unused.py": "VALUE = 2\n"})

    assert {name for name in EVERY if after[name] != before[name]} == {"third"}


def test_a_step_that_may_read_pickles_or_is_not_in_the_bundle_has_the_digest_of_the_whole() -> None:
    codes = Codes(FILES, DATA)

    @fl.step(allow_pickle=True)
    def opens() -> None: ...

    opens.function.__module__ = "flow"

    assert codes(opens) == codes.of("elsewhere", "step") == Codes(FILES, DATA).of("nowhere", "step")
    assert codes(opens) not in BEFORE.values()


def test_a_module_that_python_cannot_read_makes_the_whole_bundle_part() -> None:
    files = {**FILES, "colors.py": "RED = = 1\n"}

    assert len(set(digests(files).values())) == 1


@given(st.integers(10, 10_000), st.sampled_from(["helper", "first", "second", "third"]))
def test_a_changed_number_anywhere_in_a_function_changes_who_calls_it(number: int, name: str) -> None:
    head = f"def {name}("
    before, _, after = FLOW.partition(head)
    signature, _, body = after.partition(":\n")
    source = f"{before}{head}{signature}:\n    assert x != {number}\n{body}"

    reached = {"helper": EVERY, "first": {"first", "second"}, "second": {"second"}, "third": {"third"}}

    assert changed({**FILES, "flow.py": source}) == reached[name]


def test_the_files_are_those_of_a_bundle(tmp_path: Path) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "table.csv").write_text("1")
    before = Codes.read(tmp_path).of("flow", "first")
    (tmp_path / ".hidden").write_text("2")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.txt").write_text("2")
    assert Codes.read(tmp_path).of("flow", "first") == before

    (tmp_path / "large.bin").write_bytes(bytes(2 * 1024 * 1024))

    assert Codes.read(tmp_path).of("flow", "first") != before
