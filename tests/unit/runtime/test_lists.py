"""Lists of artifacts as inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from foldline.domain import lists
from foldline.domain.artifacts import Artifact, inline
from foldline.runtime import codecs
from foldline.runtime.codecs.lists import MOST_READS
from foldline.runtime.failures import StepError
from foldline.runtime.jobs import Given


def read(given: Given) -> Any:
    return codecs.decode("data", Given.of(given.fields()), allow_pickle=False)


def listed(found: lists.Stored, **items: Given) -> Given:
    value = msgspec.json.decode(found.content)
    artifact = found.artifact
    by_digest = {one.digest: one for one in items.values()}
    return Given(value=value, encoding=artifact.encoding, digest=artifact.digest, items=by_digest)


def array(folder: Path, size: int) -> tuple[Artifact, Given]:
    file = folder / f"{size}.npy"
    np.save(file, np.zeros(size))
    digest = f"sha256:{size}"
    return (
        Artifact(digest=digest, type="array", encoding="npy"),
        Given(file=str(file), encoding="npy", digest=digest),
    )


def test_values_and_files_come_in_their_order(tmp_path: Path) -> None:
    artifact, given = array(tmp_path, 3)

    found = read(listed(lists.stored([inline(1), artifact, None, inline(None)]), one=given))

    assert [found[0], found[1].shape, found[2], found[3]] == [1, (3,), None, None]


def test_a_list_of_lists_is_flattened_and_a_list_in_a_list_is_not() -> None:
    first, second = lists.stored([inline(1), inline(2)]), lists.stored([inline(3)])

    joined = read(listed(lists.joined([first.artifact, second.artifact])))
    nested = read(listed(lists.stored([first.artifact, second.artifact])))

    assert joined == [1, 2, 3]
    assert nested == [[1, 2], [3]]


def test_what_was_read_is_the_list_and_what_is_in_it() -> None:
    first, second = lists.stored([inline(1), inline(1)]), lists.stored([inline(3)])
    given = listed(lists.joined([first.artifact, second.artifact]))

    assert codecs.reads(given) == [
        given.digest,
        first.artifact.digest,
        inline(1).digest,
        second.artifact.digest,
        inline(3).digest,
    ]


def test_of_a_long_list_its_own_digest_stands_for_all() -> None:
    given = listed(lists.stored([inline(number) for number in range(MOST_READS)]))

    assert codecs.reads(given) == [given.digest]


def test_an_entry_that_cannot_be_read_is_named_by_its_place(tmp_path: Path) -> None:
    artifact, _ = array(tmp_path, 3)
    (tmp_path / "bad.npy").write_bytes(b"no array")
    bad = Given(file=str(tmp_path / "bad.npy"), encoding="npy", digest=artifact.digest)

    with pytest.raises(StepError) as refused:
        read(listed(lists.stored([inline(1), artifact]), one=bad))

    assert "input data[1] cannot be read as npy" in refused.value.failure.message


@pytest.mark.parametrize("value", [None, {"a": 1}, 3, "text"])
def test_what_is_no_list_is_refused(value: Any) -> None:
    with pytest.raises(StepError) as refused:
        read(Given(value=value, encoding="list", digest="sha256:0"))

    assert refused.value.failure.reason == "INPUT_NOT_READABLE"
