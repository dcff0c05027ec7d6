"""Semantic versions of gallery assets: x.y.z, three whole numbers, nothing else (https://semver.org, §2)."""

from __future__ import annotations

import re

import msgspec

from foldline.domain.errors import FoldlineError, Kind

_PATTERN = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")


class Version(msgspec.Struct, frozen=True, order=True):
    """Compares as numbers: 1.10.0 is above 1.9.0. `str` and `parse` are each other's inverse."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def next_patch(self) -> Version:
        return Version(self.major, self.minor, self.patch + 1)


FIRST = Version(1, 0, 0)


def parse(text: str) -> Version:
    """Raises ILLEGAL_VERSION."""
    found = _PATTERN.fullmatch(text)
    if not found:
        raise FoldlineError(
            Kind.INVALID,
            "ILLEGAL_VERSION",
            f"version {text[:80]!r}: a version is three whole numbers without leading zeros, like 1.4.0",
            version=text[:80],
        )
    major, minor, patch = map(int, found.groups())
    return Version(major, minor, patch)


def following(newest: Version | None, wanted: str) -> Version:
    """The version to publish after `newest`: `wanted`, or the default. Raises VERSION_NOT_HIGHER."""
    if not wanted:
        return FIRST if newest is None else newest.next_patch
    version = parse(wanted)
    if newest is not None and version <= newest:
        raise FoldlineError(
            Kind.PRECONDITION,
            "VERSION_NOT_HIGHER",
            f"version {version} is not higher than {newest}, the newest one published",
            version=str(version),
            newest=str(newest),
        )
    return version
