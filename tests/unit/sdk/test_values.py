"""Values as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldline.domain.errors import FoldlineError
from foldline.domain.spec import Parameter
from foldline.sdk import values

PARAMETERS = (
    Parameter(name="text", type="str"),
    Parameter(name="number", type="float"),
    Parameter(name="flag", type="bool"),
    Parameter(name="data", type="json"),
)


def test_text_is_taken_as_it_is_and_everything_else_as_json() -> None:
    found = values.parse(["text=1", "number=0.5", "flag=true", 'data={"a": [1]}'], PARAMETERS)

    assert found == {"text": "1", "number": 0.5, "flag": True, "data": {"a": [1]}}


def test_a_value_may_hold_an_equals_sign() -> None:
    assert values.parse(["text=a=b"], PARAMETERS) == {"text": "a=b"}


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("text", "ILLEGAL_SETTING"),
        ("=1", "ILLEGAL_SETTING"),
        ("flag=yes", "VALUE_NOT_JSON"),
        ("data=y", "VALUE_NOT_JSON"),
    ],
)
def test_what_cannot_be_read_is_refused(setting: str, reason: str) -> None:
    with pytest.raises(FoldlineError) as caught:
        values.parse([setting], PARAMETERS)

    assert caught.value.reason == reason


def test_settings_go_over_the_files_values(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text('{"text": "file", "flag": false}')

    assert values.merged(["text=typed"], file, PARAMETERS) == {"text": "typed", "flag": False}


def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text("[1]")

    with pytest.raises(FoldlineError, match=r"values\.json"):
        values.read(file)
