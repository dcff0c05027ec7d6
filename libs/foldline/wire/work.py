"""What schedulers and executors say to each other, as bytes on the bus: JSON in the proto3 mapping.

Work, reports and acknowledgements travel several at a time: an array of them (`encode_all`, `split`), since
what a message costs it costs for one as for fifty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.work import Message

M = TypeVar("M", bound=Message)

LARGEST_BYTES = 512 * 1024
"""Of a message with several; what is larger by itself travels alone."""

_encoder = msgspec.json.Encoder()
_array = msgspec.json.Decoder(list[msgspec.Raw])


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(cls: type[M], body: bytes | msgspec.Raw) -> M:
    """The message in `body`; raises INVALID MESSAGE_UNREADABLE for anything else."""
    try:
        return msgspec.json.decode(body, type=cls)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FoldlineError(
            Kind.INVALID, "MESSAGE_UNREADABLE", f"not a {cls.__name__}: {error}", type=cls.__name__
        ) from error


def encode_all(messages: Iterable[Message]) -> bytes:
    """In one message, in order, however large that is."""
    return join([encode(one) for one in messages])


def join(bodies: Sequence[bytes]) -> bytes:
    """The array of what was encoded one by one."""
    return b"[" + b",".join(bodies) + b"]"


def packed(bodies: Iterable[bytes]) -> Iterator[list[bytes]]:
    """What was encoded one by one, in as few messages as it fits in (`LARGEST_BYTES`), in order."""
    batch: list[bytes] = []
    size = 0
    for body in bodies:
        if batch and size + len(body) > LARGEST_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += len(body) + 1
    if batch:
        yield batch


def split(body: bytes) -> list[msgspec.Raw]:
    """What an array has, each to be decoded by itself; raises INVALID MESSAGE_UNREADABLE for no array."""
    try:
        return _array.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = f"not an array of messages: {error}"
        raise FoldlineError(Kind.INVALID, "MESSAGE_UNREADABLE", message, type="array") from error


def decode_all(cls: type[M], body: bytes) -> list[M]:
    """All of an array; raises INVALID MESSAGE_UNREADABLE when any of them is something else."""
    return [decode(cls, one) for one in split(body)]
