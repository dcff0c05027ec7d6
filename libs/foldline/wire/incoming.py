"""CloudEvents of others, version 1.0: read from structured JSON, or from the headers and body of HTTP (binary
mode).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from foldline.domain.errors import FoldlineError, Kind

LIMIT_BYTES = 64 * 1024
LIMIT_VALUES = 1000
STRUCTURED = "application/cloudevents+json"

_REQUIRED = ("id", "source", "type")
_PREFIX = "ce-"


def parse(body: bytes) -> dict[str, Any]:
    """The event of a structured JSON text. Raises INVALID EVENT_UNREADABLE with the rule that is broken."""
    if len(body) > LIMIT_BYTES:
        raise _unreadable(f"it has {len(body)} bytes; {LIMIT_BYTES} are taken")
    try:
        event = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(f"it is no JSON object: {error}") from error
    if event.get("specversion") != "1.0":
        raise _unreadable("it is no CloudEvent of version 1.0 (specversion)")
    for name in _REQUIRED:
        value = event.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 1000 or "\0" in value:
            raise _unreadable(f"its {name} is no text of 1 to 1000 characters")
    if _size(event) > LIMIT_VALUES:
        raise _unreadable(f"it has more than {LIMIT_VALUES} values; send large data by reference")
    return event


def of_http(headers: Mapping[str, str], body: bytes) -> bytes:
    """The structured JSON of an event that came by HTTP; header names in lower case."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == STRUCTURED:
        return body
    if "ce-specversion" not in headers:
        raise _unreadable(f"it is neither {STRUCTURED} nor has it ce- headers")
    event: dict[str, Any] = {
        name.removeprefix(_PREFIX): unquote(value)
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    if kind:
        event["datacontenttype"] = kind
    if kind == "application/json" or kind.endswith("+json"):
        try:
            event["data"] = msgspec.json.decode(body) if body else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _unreadable(f"its data is no JSON: {error}") from error
    elif kind.startswith("text/"):
        event["data"] = body.decode(errors="replace")
    elif body:
        event["data_base64"] = base64.b64encode(body).decode()
    return msgspec.json.encode(event)


def _size(value: object) -> int:
    """How many values a JSON value is made of."""
    match value:
        case dict():
            return 1 + sum(map(_size, value.values()))
        case list():
            return 1 + sum(map(_size, value))
        case _:
            return 1


def _unreadable(rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "EVENT_UNREADABLE", f"the event cannot be read: {rule}", rule=rule)
