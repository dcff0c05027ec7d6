"""What goes into a code bundle, and that it is the same bytes everywhere."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from foldline.domain.errors import FoldlineError
from foldline.sdk import bundle


def names(archive: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def write(root: Path, *paths: str) -> None:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)


def test_code_and_small_data_are_taken_and_rubbish_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "flow.py", "lib/__init__.py", "lib/steps.py", "data/rows.csv", "README.md")
    write(
        tmp_path, ".git/config", ".env", "__pycache__/flow.pyc", "lib/__pycache__/steps.pyc", "x.egg-info/PKG"
    )
    write(tmp_path, "venv/pyvenv.cfg", "venv/bin/python", ".foldline/runs/1/events.jsonl")

    assert names(bundle.build(tmp_path)) == [
        "README.md",
        "flow.py",
        "data/rows.csv",
        "lib/__init__.py",
        "lib/steps.py",
    ]


def test_the_same_content_gives_the_same_bytes_whatever_its_times_and_modes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, "b.py", "a.py")
    write(second, "a.py", "b.py")
    os.utime(second / "a.py", (0, 0))
    (second / "a.py").chmod(0o755)

    assert bundle.build(first) == bundle.build(second)


def test_the_ignore_file_names_files_folders_and_paths(tmp_path: Path) -> None:
    write(tmp_path, "flow.py", "notes.txt", "raw/a.csv", "lib/big.csv", "lib/small.csv")
    (tmp_path / bundle.IGNORE_FILE).write_text("# not needed\n*.txt\nraw/\nlib/big.csv\n")

    assert names(bundle.build(tmp_path)) == ["flow.py", "lib/small.csv"]


def test_a_large_file_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "flow.py")
    (tmp_path / "data.bin").write_bytes(bytes(bundle.FILE_LIMIT_BYTES + 1))

    with pytest.raises(FoldlineError, match=r"data\.bin .*\.foldlineignore") as caught:
        bundle.build(tmp_path)

    assert caught.value.reason == "BUNDLE_FILE_TOO_LARGE"


def test_too_much_in_all_is_refused(tmp_path: Path) -> None:
    for number in range(16):
        (tmp_path / f"{number}.bin").write_bytes(bytes(1024 * 1024))

    with pytest.raises(FoldlineError, match="MiB"):
        bundle.build(tmp_path)


def test_a_folder_full_of_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "FILES_LIMIT", 3)
    write(tmp_path, "1.py", "2.py", "3.py", "4.py")

    with pytest.raises(FoldlineError, match="folder of its own"):
        bundle.build(tmp_path)


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "flow.py")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")

    assert names(bundle.build(tmp_path)) == ["flow.py"]
