"""Facts for outsiders: CloudEvents 1.0 in structured JSON mode. The payload goes out exactly as it stands."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, UnsetType

from foldline.domain.errors import FoldlineError, Kind

CONTENT_TYPE = "application/cloudevents+json"
TYPE_PREFIX = "foldline.api.event.v1."
SOURCE = "/foldline/ledger"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of the specification, then extension attributes of ours (absent where empty).

    `source` and `id` together are unique; `subject` is the stream and `sequence` the version in it.
    """

    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str
    sequence: str
    datacontenttype: str
    actor: str | UnsetType = UNSET
    workspace: str | UnsetType = UNSET
    correlation: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    data: msgspec.Raw


class _Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of an event's metadata (foldline.api.event.v1.Meta)."""

    actor: str = ""
    workspace: str = ""
    correlation: str = ""
    trace: str = ""


def encode(
    *,
    id: str,  # noqa: A002 - the attribute's name
    stream: str,
    version: int,
    type: str,  # noqa: A002 - the attribute's name
    time: datetime,
    payload: str,
    meta: str,
) -> bytes:
    """The CloudEvent of an event in the ledger; `payload` and `meta` are its JSON texts."""
    about = _read_meta(meta)
    return msgspec.json.encode(
        CloudEvent(
            specversion="1.0",
            id=id,
            source=SOURCE,
            type=TYPE_PREFIX + type,
            time=time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            subject=stream,
            sequence=str(version),
            datacontenttype="application/json",
            actor=about.actor or UNSET,
            workspace=about.workspace or UNSET,
            correlation=about.correlation or UNSET,
            traceparent=about.trace or UNSET,
            data=msgspec.Raw(payload.encode()),
        )
    )


def decode(body: bytes) -> CloudEvent:
    """A CloudEvent of ours; `data` is the payload's JSON. Raises INVALID MESSAGE_UNREADABLE."""
    try:
        return msgspec.json.decode(body, type=CloudEvent)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FoldlineError(
            Kind.INVALID, "MESSAGE_UNREADABLE", f"not a CloudEvent of ours: {error}"
        ) from error


def _read_meta(meta: str) -> _Meta:
    try:
        return msgspec.json.decode(meta, type=_Meta)
    except msgspec.MsgspecError as error:
        raise FoldlineError(Kind.INVALID, "META_UNREADABLE", f"not an event's metadata: {error}") from error
