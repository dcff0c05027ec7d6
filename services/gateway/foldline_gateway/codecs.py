"""Connect's codecs on Google's protobuf. A reply comes as bytes and is parsed only if JSON is asked for."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from google.protobuf import json_format
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


class Reply(NamedTuple):
    """A reply as its service wrote it."""

    type: type[Message]
    content: bytes


class ProtoCodec:
    def name(self) -> str:
        return "proto"

    def encode(self, message: Reply) -> bytes:
        return message.content

    def decode(self, data: bytes | bytearray, message_class: type[M]) -> M:
        return message_class.FromString(bytes(data))


class JsonCodec:
    """The proto3 JSON mapping. Unknown fields are refused: a mistyped name must not pass silently."""

    def name(self) -> str:
        return "json"

    def encode(self, message: Reply) -> bytes:
        parsed = message.type.FromString(message.content)
        try:
            return json_format.MessageToJson(parsed, indent=None, ensure_ascii=False).encode()
        except json_format.SerializeToJsonError as error:
            words = f"JSON cannot say this reply, ask for application/proto instead: {error}"
            raise ConnectError(Code.INTERNAL, words) from error

    def decode(self, data: bytes | bytearray, message_class: type[M]) -> M:
        return json_format.Parse(bytes(data) or b"{}", message_class())
