"""Folders as artifacts: packed the same every time, unpacked without any way out."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.runtime.coding import Encode, _in_a_work_folder, decode, encode, refusal, unreadable

from foldline.runtime.codecs import folders
from foldline.runtime.jobs import Product

__all__ = ["_in_a_work_folder", "encode"]

NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)
TREES = st.recursive(
    st.binary(max_size=2000), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
).filter(lambda tree: isinstance(tree, dict))


def plant(tree: dict[str, object], folder: Path) -> None:
    folder.mkdir()
    for name, content in tree.items():
        if isinstance(content, dict):
            plant(content, folder / name)
        else:
            assert isinstance(content, bytes)
            (folder / name).write_bytes(content)


def found_in(folder: Path) -> dict[str, object]:
    return {path.name: found_in(path) if path.is_dir() else path.read_bytes() for path in folder.iterdir()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(tree=TREES)
def test_a_folder_comes_back_with_everything_in_it(
    tree: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("tree")
    plant(tree, place / "before")

    folders.pack(place / "before", place / "packed")
    folders.unpack(place / "packed", place / "after")

    assert found_in(place / "after") == tree


def test_the_same_files_have_the_same_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    for name, order in (("a", ["x", "y"]), ("b", ["y", "x"])):
        (tmp_path / name).mkdir()
        for file in order:
            (tmp_path / name / file).write_text(file)
            os.utime(tmp_path / name / file, (len(name), 7))
        folders.pack(tmp_path / name, tmp_path / f"{name}.tar")

    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_a_step_gets_a_copy_under_the_folders_name(encode: Encode, tmp_path: Path) -> None:
    plant({"data.csv": b"a,b", "deep": {"run.sh": b"#!/bin/sh"}}, tmp_path / "report")
    (tmp_path / "report" / "deep" / "run.sh").chmod(0o700)

    product = encode(tmp_path / "report")
    copy = decode(product)

    assert (product.type, product.encoding, product.filename) == ("file", "folder", "report.tar")
    assert product.summary == {"files": 2, "bytes": 12}
    assert product.preview["tree"] == [
        {"path": "data.csv", "bytes": 3},
        {"path": "deep/"},
        {"path": "deep/run.sh", "bytes": 9},
    ]
    assert copy.name == "report"
    assert os.access(copy / "deep" / "run.sh", os.X_OK)
    (copy / "data.csv").write_text("changed")
    assert (decode(product) / "data.csv").read_text() == "a,b"


def test_a_link_inside_is_packed_as_its_file_and_one_that_leads_out_is_refused(
    encode: Encode, tmp_path: Path
) -> None:
    plant({"real": b"content"}, tmp_path / "folder")
    (tmp_path / "folder" / "link").symlink_to("real")
    assert (decode(encode(tmp_path / "folder")) / "link").read_text() == "content"

    (tmp_path / "folder" / "out").symlink_to("/etc/hostname")

    assert "out is a link that leads out of the folder" in refusal(encode, tmp_path / "folder")


def test_a_pipe_in_a_folder_is_refused(encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe")

    assert "pipe is neither a file nor a folder" in refusal(encode, tmp_path / "folder")


def member(name: str, kind: bytes = tarfile.REGTYPE, *, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("../up")], "leads out of the folder"),
        ([member("/etc/cron.d/evil")], "leads out of the folder"),
        ([member("a/../../up")], "leads out of the folder"),
        ([member(".")], "leads out of the folder"),
        ([member("link", tarfile.SYMTYPE, link="/etc")], "link in it is neither a file nor a folder"),
        ([member("hard", tarfile.LNKTYPE, link="other")], "hard in it is neither a file nor a folder"),
        ([member("dev", tarfile.CHRTYPE)], "dev in it is neither a file nor a folder"),
        ([member("sparse", tarfile.GNUTYPE_SPARSE)], "sparse in it is neither a file nor a folder"),
        ([member("twice"), member("twice")], "twice is in it twice"),
        ([member("x"), member("x/y")], ""),
        ([member("huge", size=10**12)], "larger unpacked"),
    ],
)
def test_an_archive_that_is_not_one_of_ours_is_refused_whole(
    tmp_path: Path, members: list[tarfile.TarInfo], message: str
) -> None:
    with tarfile.open(tmp_path / "evil", "w", format=tarfile.GNU_FORMAT) as archive:
        for one in members:
            archive.fileobj.write(one.tobuf(tarfile.GNU_FORMAT))

    said = unreadable(Product(type="file", encoding="folder", file=tmp_path / "evil", filename="evil.tar"))

    assert message in said
    assert not [
        path for path in tmp_path.rglob("*") if path.name in {"up", "link", "hard", "x", "twice", "huge"}
    ]


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bomb", "w:gz") as archive:
        archive.addfile(member("zeros", size=10**7), io.BytesIO(bytes(10**7)))

    with pytest.raises(tarfile.ReadError):
        folders.unpack(tmp_path / "bomb", tmp_path / "out")

    assert not (tmp_path / "out").exists()
