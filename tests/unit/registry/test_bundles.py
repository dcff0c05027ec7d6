"""The rules for a code bundle."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest

from foldline.domain.errors import FoldlineError, Kind
from foldline_registry import bundles


def bundle(*entries: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data, compression)
    return content.getvalue()


def a_link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("link.py")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def test_files_in_folders_are_fine() -> None:
    bundles.check(bundle(("digits.py", b"x"), ("lib/", b""), ("lib/__init__.py", b""), ("lib/ü ä.txt", b"")))
    bundles.check(bundle(("digits.py", b"x"), compression=zipfile.ZIP_STORED))
    bundles.check(bundle())


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("/etc/passwd", "has an absolute name"),
        ("../digits.py", "has a name with an empty part"),
        ("a/../../digits.py", "has a name with an empty part"),
        ("a//b.py", "has a name with an empty part"),
        ("./digits.py", "has a name with an empty part"),
        ("a\\..\\b.py", "has a control character, a backslash or a colon"),
        ("C:digits.py", "has a control character, a backslash or a colon"),
        ("digits\n.py", "has a control character, a backslash or a colon"),
        ("x" * 1025, "longer than 1024 bytes"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, rule: str) -> None:
    with pytest.raises(FoldlineError, match=rule) as caught:
        bundles.check(bundle((name, b"x")))

    assert caught.value.kind is Kind.INVALID
    assert caught.value.reason == "ILLEGAL_BUNDLE"


def test_a_name_cut_by_a_zero_byte_is_refused() -> None:
    content = bundle(("digitsX.py", b"x")).replace(b"digitsX.py", b"digits\0.py")

    with pytest.raises(FoldlineError, match="has a control character"):
        bundles.check(content)


def test_links_are_refused() -> None:
    with pytest.raises(FoldlineError, match=r"'link\.py' is a link or a device"):
        bundles.check(bundle((a_link(), b"/etc/passwd")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["digits.py", "Digits.py", "DIGITS.PY"])
def test_a_file_that_comes_twice_is_refused_also_where_only_case_differs(second: str) -> None:
    with pytest.raises(FoldlineError, match="comes twice"):
        bundles.check(bundle(("digits.py", b"x"), (second, b"y")))


def test_an_archive_that_unpacks_to_too_much_is_refused() -> None:
    content = bundle(("zeros", b"\0" * (bundles.UNPACKED_LIMIT_BYTES + 1)))

    assert len(content) < 1024**2
    with pytest.raises(FoldlineError, match="unpacks to more than 64 MiB"):
        bundles.check(content)


def test_an_archive_with_too_many_files_is_refused() -> None:
    content = bundle(*((f"f{number}", b"") for number in range(bundles.FILES_LIMIT + 1)))

    with pytest.raises(FoldlineError, match="holds 10001 files"):
        bundles.check(content)


def test_a_damaged_file_is_found() -> None:
    content = bundle(("digits.py", b"print('hello')"), compression=zipfile.ZIP_STORED)

    with pytest.raises(FoldlineError, match="not a readable zip archive"):
        bundles.check(content.replace(b"hello", b"jello"))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x05\x06", b"no zip at all", bundle(("a", b"x"))[:-10]],
    ids=["empty", "a beginning", "something else", "cut off"],  # not the bytes: the time is among them
)
def test_what_is_no_zip_archive_is_refused(content: bytes) -> None:
    with pytest.raises(FoldlineError, match="not a readable zip archive"):
        bundles.check(content)


def test_other_compressions_are_refused() -> None:
    with pytest.raises(FoldlineError, match="neither stored nor deflated"):
        bundles.check(bundle(("digits.py", b"x"), compression=zipfile.ZIP_BZIP2))
