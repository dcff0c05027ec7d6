"""What schedulers and executors say to each other, as bytes on the bus: JSON in the proto3 mapping."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.work import Message

M = TypeVar("M", bound=Message)

_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(cls: type[M], body: bytes) -> M:
    """The message in `body`; raises INVALID MESSAGE_UNREADABLE for anything else."""
    try:
        return msgspec.json.decode(body, type=cls)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FoldlineError(
            Kind.INVALID, "MESSAGE_UNREADABLE", f"not a {cls.__name__}: {error}", type=cls.__name__
        ) from error
