"""The identity of a release: a digest over everything that can change what its runs do.

Canonical JSON: UTF-8, no white space, keys sorted by code point, fields at their default left out, whole
numbers without a fraction (1.0 is 1, as in RFC 8785). Leaving defaults out keeps old digests true when a
message grows a field.
"""

from __future__ import annotations

import hashlib

import msgspec

from foldline.domain.spec import Graph, Json

_EXACT = 2.0**53  # from here on, a float that has no fraction stands for more than one integer


def canonical(value: object) -> bytes:
    """The canonical JSON of a struct or of a JSON value."""
    return msgspec.json.encode(_plain(msgspec.to_builtins(value)), order="sorted")


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_of(graph: Graph, *, bundle: str, environment: str, docs: str) -> str:
    """The release's name. `bundle` and `environment` are the digests of their stored bytes."""
    content = {"graph": graph, "bundle": bundle, "environment": environment, "docs": docs}
    return digest(canonical(content))


def _plain(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
