"""Unpacking of code bundles that strangers made."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from foldline.domain.errors import FoldlineError
from foldline_executor import bundles


def archive(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in entries:
            target.writestr(name, data)
    return content.getvalue()


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, target.encode()


def refusal(content: bytes, folder: Path) -> str:
    with pytest.raises(FoldlineError) as refused:
        bundles.unpack(content, folder / "bundle")
    assert refused.value.reason == "BUNDLE_UNSAFE"
    assert list(folder.iterdir()) == []
    return refused.value.message


def test_a_bundle_is_unpacked_whole(tmp_path: Path) -> None:
    bundles.unpack(archive(("flow.py", b"x = 1"), ("lib/", b""), ("lib/a.py", b"y")), tmp_path / "bundle")

    assert (tmp_path / "bundle" / "flow.py").read_bytes() == b"x = 1"
    assert (tmp_path / "bundle" / "lib" / "a.py").read_bytes() == b"y"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("name", ["/etc/evil", "../evil", "a/../../evil", "..\\evil"])
def test_an_entry_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    assert "leads out of it" in refusal(archive(("flow.py", b""), (name, b"evil")), tmp_path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    assert "is a link" in refusal(archive(link("flow.py", "/etc/passwd")), tmp_path)


def test_a_bomb_is_refused_whatever_its_header_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "LIMIT_BYTES", 1024 * 1024)

    assert "more than 1 MiB" in refusal(archive(("zeros", bytes(20 * 1024 * 1024))), tmp_path)


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    entries = [(f"{number}.py", b"") for number in range(bundles.LIMIT_FILES + 1)]

    assert "more than 10000" in refusal(archive(*entries), tmp_path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    assert "no zip archive" in refusal(b"PK nonsense", tmp_path)
