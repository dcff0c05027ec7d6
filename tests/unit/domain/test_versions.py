"""Versions of gallery assets."""

from __future__ import annotations

import pytest

from foldline.domain import versions
from foldline.domain.errors import FoldlineError, Kind


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.x", "01.2.3", "1.2.3-rc1", "1.2.3\n", "-1.2.3"]
)
def test_a_version_is_three_whole_numbers(text: str) -> None:
    with pytest.raises(FoldlineError) as caught:
        versions.parse(text)

    assert caught.value.reason == "ILLEGAL_VERSION"


def test_versions_compare_as_numbers() -> None:
    assert versions.parse("1.10.0") > versions.parse("1.9.9")
    assert str(versions.parse("0.0.10")) == "0.0.10"


def test_the_first_version_is_1_0_0_by_default_and_then_the_next_patch() -> None:
    assert str(versions.following(None, "")) == "1.0.0"
    assert str(versions.following(versions.parse("2.3.9"), "")) == "2.3.10"


def test_a_higher_version_may_be_chosen() -> None:
    assert str(versions.following(None, "0.1.0")) == "0.1.0"
    assert str(versions.following(versions.parse("1.9.0"), "1.10.0")) == "1.10.0"


@pytest.mark.parametrize("wanted", ["1.2.3", "1.2.2", "0.9.9"])
def test_an_equal_or_lower_version_is_refused(wanted: str) -> None:
    with pytest.raises(FoldlineError, match=r"is not higher than 1\.2\.3") as caught:
        versions.following(versions.parse("1.2.3"), wanted)

    assert caught.value.kind is Kind.PRECONDITION
