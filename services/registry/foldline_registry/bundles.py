"""The rules for a code bundle: executors unpack it, so nothing in it may surprise. Pure."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator

from foldline.domain.errors import FoldlineError, Kind

LIMIT_BYTES = 16 * 1024**2
UNPACKED_LIMIT_BYTES = 64 * 1024**2
FILES_LIMIT = 10_000
_CHUNK_BYTES = 1024**2

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\:]")


def check(bundle: bytes) -> None:
    """Raise INVALID naming the file and the rule. Reads every file, so call it off the event loop."""
    if len(bundle) > LIMIT_BYTES:
        raise _refused(f"it has {len(bundle)} bytes, more than {LIMIT_BYTES // 1024**2} MiB")
    try:
        with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
            entries = archive.infolist()
            if len(entries) > FILES_LIMIT:
                raise _refused(f"it holds {len(entries)} files, more than {FILES_LIMIT}")
            _check_names(entries)
            _check_contents(archive, entries)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise _refused(f"it is not a readable zip archive ({error})") from error


def names(bundle: bytes) -> frozenset[str]:
    """The files in a bundle that was checked."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return frozenset(entry.filename for entry in archive.infolist() if not entry.is_dir())


def _check_names(entries: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for entry in entries:
        for rule in _broken_rules(entry):
            raise _refused(f"file {_shown(entry.orig_filename)} {rule}", file=_shown(entry.orig_filename))
        # Two names that differ in case alone are one file on some machines.
        name = entry.filename.rstrip("/").casefold()
        if name in seen:
            raise _refused(f"file {_shown(entry.filename)} comes twice", file=_shown(entry.filename))
        seen.add(name)


def _broken_rules(entry: zipfile.ZipInfo) -> Iterator[str]:
    name = entry.orig_filename  # as written: `filename` is cut at a zero byte
    if _UNSAFE.search(name):
        yield "has a control character, a backslash or a colon in its name"
    if name.startswith("/"):
        yield "has an absolute name"
    if not name or {"", ".", ".."} & set(name.removesuffix("/").split("/")):
        yield "has a name with an empty part, '.' or '..'"
    if len(name.encode(errors="replace")) > 1024:
        yield "has a name longer than 1024 bytes"
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode not in {0, stat.S_IFREG, stat.S_IFDIR}:
        yield "is a link or a device, not a file"
    if entry.flag_bits & 0x1:
        yield "is encrypted"


def _check_contents(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
    """Unpack into nowhere: sizes in headers may lie, and a broken file should fail now."""
    left = UNPACKED_LIMIT_BYTES
    for entry in entries:
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise _refused(f"file {_shown(entry.filename)} is neither stored nor deflated")
        with archive.open(entry) as content:
            while chunk := content.read(_CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise _refused(f"it unpacks to more than {UNPACKED_LIMIT_BYTES // 1024**2} MiB")


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:80]}…")


def _refused(rule: str, **fields: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_BUNDLE", f"bundle: {rule}", **fields)
