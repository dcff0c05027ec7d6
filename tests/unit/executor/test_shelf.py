"""The bounded folders of fetched inputs and bundles."""

from __future__ import annotations

import os
import time
from pathlib import Path

from foldline_executor.shelf import Shelf


def keep(folder: Path, name: str, *, age: float) -> Path:
    path = folder / name
    path.write_bytes(b"x" * 100)
    os.utime(path, (time.time() - age,) * 2)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    for number in range(5):
        keep(tmp_path, f"file-{number}", age=10_000 - number)

    Shelf(tmp_path).trim_bytes(250)

    assert names(tmp_path) == ["file-3", "file-4"]


def test_what_was_given_back_lately_is_among_the_last_to_go(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    keep(tmp_path, "old", age=10_000)
    keep(tmp_path, "used", age=20_000)
    shelf.take("used")
    shelf.give_back("used")

    shelf.trim_bytes(100)

    assert names(tmp_path) == ["used"]


def test_what_is_held_never_goes_however_often_it_is_taken(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    held = keep(tmp_path, "held", age=10_000)
    shelf.take("held")
    shelf.take("held")
    shelf.give_back("held")

    shelf.trim_bytes(0)
    assert held.exists()

    shelf.give_back("held")
    shelf.trim_bytes(0)
    assert names(tmp_path) == []


def test_a_folder_under_the_limit_is_left_alone(tmp_path: Path) -> None:
    keep(tmp_path, "old", age=10_000)

    Shelf(tmp_path).trim_bytes(100)

    assert names(tmp_path) == ["old"]


def test_what_is_being_fetched_is_left_alone(tmp_path: Path) -> None:
    keep(tmp_path, "new.partial", age=10_000)

    Shelf(tmp_path).trim_bytes(0)

    assert names(tmp_path) == ["new.partial"]


def test_folders_are_counted_and_those_that_rest_a_short_while_stay(tmp_path: Path) -> None:
    for number in range(4):
        folder = tmp_path / f"bundle-{number}"
        folder.mkdir()
        (folder / "flow.py").touch()
        os.utime(folder, (time.time() - 1000 + 300 * number,) * 2)

    Shelf(tmp_path).trim_count(1, resting_seconds=500)

    assert names(tmp_path) == ["bundle-2", "bundle-3"]
