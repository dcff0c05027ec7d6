"""Artifacts as facts: what was stored, and the bytes only of small JSON values."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from foldline.domain.releases import digest
from foldline.domain.spec import Json
from foldline.domain.types import type_of_value

INLINE_LIMIT_BYTES = 64 * 1024
"""JSON values up to this size travel in events; everything larger by digest alone (claim check)."""


class Artifact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Mirror of foldline.api.event.v1.Artifact."""

    digest: str
    type: str
    encoding: str
    size_bytes: int = 0
    value: Json | UnsetType = UNSET
    summary: dict[str, Json] = {}
    filename: str = ""
    preview: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Mirror of foldline.api.event.v1.Item; exactly one field is set."""

    value: Json | UnsetType = UNSET
    artifact: Artifact | UnsetType = UNSET


def inline(value: Json, type_: str = "") -> Artifact:
    """A JSON value as an artifact, with its bytes in the event alone (ADR 15); of this type, or its own."""
    content = msgspec.json.encode(value)
    kind = type_ or type_of_value(value)
    return Artifact(
        digest=digest(content),
        type="json" if kind == "any" else kind,
        encoding="json",
        size_bytes=len(content),
        value=value,
    )


def content_of(artifact: Artifact) -> bytes | None:
    """The bytes of a value that travels in the event, where they are exactly what the digest names."""
    if artifact.value is UNSET:
        return None
    content = msgspec.json.encode(artifact.value)
    return content if digest(content) == artifact.digest else None
