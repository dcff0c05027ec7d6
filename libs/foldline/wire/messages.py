"""Structs to protobuf messages and back, for any pair that mirrors one another field for field.

Driven by the message's descriptor alone, so there is nothing to keep in step by hand; the result is the same
as going through the proto3 JSON mapping, which `tests/unit/wire` proves. JSON numbers inside
google.protobuf.Value are doubles: whole ones come back as int, and whole numbers beyond 2**53 lose digits
(the ledger's own text, `payload_json`, does not).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Value
from google.protobuf.struct_pb2 import Struct as ProtoStruct
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import inspect

from foldline.domain.errors import FoldlineError, Kind

M = TypeVar("M", bound=Message)
S = TypeVar("S", bound=msgspec.Struct)

_EXACT = 2.0**53


def to_message(value: msgspec.Struct | Mapping[str, Any], cls: type[M]) -> M:
    """The message of class `cls` that says the same as the struct (or a dict of the same shape)."""
    message = cls()
    _fill(message, msgspec.to_builtins(value, builtin_types=(datetime, bytes)))
    return message


def from_message(message: Message, cls: type[S]) -> S:
    """The struct that says the same; raises INVALID MESSAGE_INVALID where the struct's rules are broken."""
    try:
        return msgspec.convert(_read(message, cls), cls)
    except msgspec.ValidationError as error:
        name = message.DESCRIPTOR.name
        raise FoldlineError(Kind.INVALID, "MESSAGE_INVALID", f"{name}: {error}", type=name) from error


def to_dict(message: Message) -> dict[str, Any]:
    """The message as plain values: what is set, and every scalar without presence."""
    return _read(message, None)


def to_struct(values: Mapping[str, Any]) -> ProtoStruct:
    """A google.protobuf.Struct of a dict of JSON values."""
    message = ProtoStruct()
    for key, value in values.items():
        _fill_value(message.fields[key], value)
    return message


def from_struct(message: ProtoStruct) -> dict[str, Any]:
    """The dict behind a google.protobuf.Struct. Maps have no order; here it is the alphabet."""
    return {key: _read_value(value) for key, value in sorted(message.fields.items())}


def to_value(value: Any) -> Value:
    """A google.protobuf.Value of a JSON value."""
    message = Value()
    _fill_value(message, value)
    return message


def from_value(message: Value) -> Any:
    """The JSON value behind a google.protobuf.Value; None for one that is not set."""
    return _read_value(message)


def to_time(message: Timestamp) -> datetime:
    """The moment of a google.protobuf.Timestamp, aware, in UTC."""
    return _read_timestamp(message)


class _Field(NamedTuple):
    name: str
    shape: str  # "map", "repeated", "presence" (messages, oneofs, optional) or "scalar"
    message: str  # full name of the message type of the values, "" for scalars


@cache
def _fields(descriptor: Descriptor) -> tuple[_Field, ...]:
    return tuple(_field(field) for field in descriptor.fields)


def _field(field: FieldDescriptor) -> _Field:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        value = kind.fields_by_name["value"].message_type
        return _Field(field.name, "map", value.full_name if value else "")
    shape = "repeated" if field.is_repeated else "presence" if field.has_presence else "scalar"
    return _Field(field.name, shape, kind.full_name if kind else "")


def _fill(message: Message, values: Mapping[str, Any]) -> None:
    left = len(values)
    for field in _fields(message.DESCRIPTOR):
        if field.name in values:
            left -= 1
            _write(message, field, values[field.name])
    if left:
        known = {field.name for field in _fields(message.DESCRIPTOR)}
        extra = ", ".join(sorted(set(values) - known))
        raise TypeError(f"{message.DESCRIPTOR.full_name} has no field {extra}")


def _write(message: Message, field: _Field, value: Any) -> None:
    if value is None and field.message != _VALUE:
        return  # null stands for "not set", as in the JSON mapping
    target = getattr(message, field.name)
    if field.shape == "map":
        _write_map(target, field, value)
    elif field.shape == "repeated":
        _write_repeated(target, field, value)
    elif field.message:
        target.SetInParent()
        _WRITERS.get(field.message, _fill)(target, value)
    else:
        setattr(message, field.name, value)


def _write_map(target: Any, field: _Field, values: Mapping[str, Any]) -> None:
    if not field.message:
        target.update(values)
        return
    write = _WRITERS.get(field.message, _fill)
    for key, value in values.items():
        write(target[key], value)


def _write_repeated(target: Any, field: _Field, values: Iterable[Any]) -> None:
    if not field.message:
        target.extend(values)
        return
    write = _WRITERS.get(field.message, _fill)
    for value in values:
        write(target.add(), value)


def _fill_struct(target: ProtoStruct, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        _fill_value(target.fields[key], value)


def _fill_value(target: Value, value: Any) -> None:
    match value:
        case None:
            target.null_value = 0  # type: ignore[assignment]  # NULL_VALUE; the stubs want the enum
        case bool():
            target.bool_value = value
        case int() | float() if math.isfinite(value):
            target.number_value = value
        case int() | float():
            target.null_value = 0  # type: ignore[assignment]  # JSON has no NaN; msgspec writes null, too
        case str():
            target.string_value = value
        case Mapping():
            target.struct_value.SetInParent()
            _fill_struct(target.struct_value, value)
        case list() | tuple():
            _fill_list(target.list_value, value)
        case _:
            raise TypeError(f"{type(value).__name__} is not a JSON value")


def _fill_list(target: ListValue, values: Iterable[Any]) -> None:
    target.SetInParent()
    for value in values:
        _fill_value(target.values.add(), value)


def _fill_timestamp(target: Timestamp, value: datetime | str) -> None:
    if isinstance(value, str):
        target.FromJsonString(value)
    else:
        target.FromDatetime(value)


def _read_value(message: Value) -> Any:
    match message.WhichOneof("kind"):
        case "number_value":
            number = message.number_value
            return int(number) if number.is_integer() and abs(number) <= _EXACT else number
        case "string_value":
            return message.string_value
        case "bool_value":
            return message.bool_value
        case "struct_value":
            return from_struct(message.struct_value)
        case "list_value":
            return [_read_value(value) for value in message.list_value.values]
        case _:
            return None


def _read_timestamp(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)


_VALUE = Value.DESCRIPTOR.full_name

_WRITERS: dict[str, Any] = {
    _VALUE: _fill_value,
    ProtoStruct.DESCRIPTOR.full_name: _fill_struct,
    ListValue.DESCRIPTOR.full_name: _fill_list,
    Timestamp.DESCRIPTOR.full_name: _fill_timestamp,
}

_SPECIAL: dict[str, Any] = {
    _VALUE: _read_value,
    ProtoStruct.DESCRIPTOR.full_name: from_struct,
    Timestamp.DESCRIPTOR.full_name: _read_timestamp,
}


class _Part(NamedTuple):
    """How to read one field."""

    name: str
    shape: str
    read: Callable[[Any], Any] | None  # None: the value is plain
    zero_is_default: bool  # the struct has a default of its own, so the proto's zero means "not said"


def _read(message: Message, cls: type[msgspec.Struct] | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, shape, read, zero_is_default in _parts(message.DESCRIPTOR, cls):
        if shape == "presence" and not message.HasField(name):
            continue
        value = getattr(message, name)
        if shape == "map":
            values[name] = {key: read(one) if read else one for key, one in sorted(value.items())}
        elif shape == "repeated":
            values[name] = [read(one) for one in value] if read else list(value)
        elif value or not zero_is_default:
            values[name] = read(value) if read else value
    return values


@cache
def _parts(descriptor: Descriptor, cls: type[msgspec.Struct] | None) -> tuple[_Part, ...]:
    nested, defaults = _known(cls)
    return tuple(
        _Part(
            name=field.name,
            shape=field.shape,
            read=_reader(field.message, nested.get(field.name)),
            zero_is_default=field.shape == "scalar" and bool(defaults.get(field.name)),
        )
        for field in _fields(descriptor)
    )


def _reader(message: str, cls: type[msgspec.Struct] | None) -> Callable[[Any], Any] | None:
    if not message:
        return None
    special = _SPECIAL.get(message)
    return special if special is not None else lambda value: _read(value, cls)


def _known(cls: type[msgspec.Struct] | None) -> tuple[dict[str, type[msgspec.Struct]], dict[str, Any]]:
    """Of a struct's fields: the struct class of the values, and the default, where there are such."""
    if cls is None:
        return {}, {}
    info = cast("inspect.StructType", inspect.type_info(cls))
    defaults = {one.name: one.default for one in info.fields if one.default is not msgspec.NODEFAULT}
    nested = {one.name: found for one in info.fields if (found := _struct_class(one.type)) is not None}
    return nested, defaults


def _struct_class(type_: inspect.Type) -> type[msgspec.Struct] | None:
    match type_:
        case inspect.StructType(cls=cls):
            return cls
        case inspect.DictType(value_type=inner) | inspect.VarTupleType(item_type=inner):
            return _struct_class(inner)
        case inspect.ListType(item_type=inner):
            return _struct_class(inner)
        case _:
            return None
