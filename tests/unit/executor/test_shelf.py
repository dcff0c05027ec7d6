"""The bounded folder of fetched inputs."""

from __future__ import annotations

import os
import time
from pathlib import Path

from foldline_executor import shelf


def keep(folder: Path, name: str, *, age: float) -> Path:
    path = folder / name
    path.write_bytes(b"x" * 100)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    for number in range(5):
        keep(tmp_path, f"file-{number}", age=10_000 - number)

    shelf.trim(tmp_path, 250)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["file-3", "file-4"]


def test_what_was_used_a_short_while_ago_stays(tmp_path: Path) -> None:
    old = keep(tmp_path, "old", age=10_000)
    used = keep(tmp_path, "used", age=20_000)
    shelf.touch(used)

    shelf.trim(tmp_path, 0)

    assert not old.exists()
    assert used.exists()


def test_a_folder_under_the_limit_is_left_alone(tmp_path: Path) -> None:
    keep(tmp_path, "old", age=10_000)

    shelf.trim(tmp_path, 100)

    assert len(list(tmp_path.iterdir())) == 1
