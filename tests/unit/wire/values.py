"""Hypothesis strategies for any struct that mirrors a message: every field, every nesting, every oneof."""

from __future__ import annotations

from datetime import UTC
from functools import cache
from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor
from hypothesis import strategies as st
from msgspec import inspect

EXACT = 2**53

texts = st.text(max_size=8)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-EXACT, EXACT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@cache
def structs(cls: type[msgspec.Struct], descriptor: Descriptor) -> st.SearchStrategy[Any]:
    """Any valid value of `cls`, which mirrors the message of `descriptor`."""
    return st.deferred(lambda: _struct(cls, descriptor))


def _struct(cls: type[msgspec.Struct], descriptor: Descriptor) -> st.SearchStrategy[Any]:
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    fields = {field.name: _value(field.type, _message(descriptor, field.name)) for field in info.fields}
    choices = [[f.name for f in oneof.fields] for oneof in descriptor.oneofs if len(oneof.fields) > 1]
    exclusive = {name for names in choices for name in names}
    required = {
        field.name: fields[field.name]
        for field in msgspec.structs.fields(cls)
        if field.required and field.name not in exclusive
    }
    optional = {
        name: value for name, value in fields.items() if name not in required and name not in exclusive
    }
    parts = st.fixed_dictionaries(required, optional=optional)
    for names in choices:
        chosen = st.one_of(*(st.fixed_dictionaries({name: fields[name]}) for name in names))
        parts = st.tuples(parts, chosen).map(lambda pair: {**pair[0], **pair[1]})
    return parts.map(lambda values: cls(**values))


def _message(descriptor: Descriptor, name: str) -> Descriptor | None:
    kind = descriptor.fields_by_name[name].message_type
    if kind is not None and kind.GetOptions().map_entry:
        return kind.fields_by_name["value"].message_type
    return kind


def _value(type_: inspect.Type, message: Descriptor | None) -> st.SearchStrategy[Any]:
    match type_:
        case inspect.StrType():
            return texts
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(0, 2**31 - 1)
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.DateTimeType():
            return st.datetimes(timezones=st.just(UTC))
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.AnyType():
            return json_values
        case inspect.DictType(value_type=value):
            return st.dictionaries(texts, _value(value, message), max_size=2)
        case inspect.VarTupleType(item_type=item):
            return st.lists(_value(item, message), max_size=2).map(tuple)
        case inspect.StructType(cls=cls):
            assert message is not None
            return structs(cls, message)
        case _:
            raise AssertionError(f"no strategy for {type_}")
