"""The structs of the domain and the messages of the protos say the same, name by name."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.wire.mirrors import MIRRORS, PAIRS, messages_of, structs_of
from tests.unit.wire.values import structs

from foldline.wire import messages

every_mirror = pytest.mark.parametrize(("cls", "proto"), MIRRORS, ids=[cls.__name__ for cls, _ in MIRRORS])
some_examples = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(("module", "protos"), PAIRS, ids=[module.__name__ for module, _ in PAIRS])
def test_every_struct_has_a_message_and_every_message_a_struct(module: ModuleType, protos: Any) -> None:
    assert set(structs_of(module)) == set(messages_of(protos))


@every_mirror
def test_a_struct_has_the_fields_of_its_message(cls: type[msgspec.Struct], proto: type[Message]) -> None:
    fields = {field.name for field in msgspec.structs.fields(cls)}

    assert fields == {field.name for field in proto.DESCRIPTOR.fields}


@every_mirror
def test_a_struct_is_frozen_keyword_only_and_leaves_out_defaults(
    cls: type[msgspec.Struct], proto: type[Message]
) -> None:
    assert cls.__struct_config__.frozen
    assert cls.__struct_config__.omit_defaults


@every_mirror
@some_examples
@given(data=st.data())
def test_a_value_survives_the_way_to_its_message_and_back(
    cls: type[msgspec.Struct], proto: type[Message], data: st.DataObject
) -> None:
    value = data.draw(structs(cls, proto.DESCRIPTOR))

    message = messages.to_message(value, proto)

    assert messages.from_message(message, cls) == value
    assert messages.from_message(proto.FromString(message.SerializeToString()), cls) == value


@every_mirror
@some_examples
@given(data=st.data())
def test_the_json_of_a_struct_is_the_proto_json_of_its_message(
    cls: type[msgspec.Struct], proto: type[Message], data: st.DataObject
) -> None:
    value = data.draw(structs(cls, proto.DESCRIPTOR))

    parsed = json_format.Parse(msgspec.json.encode(value), proto())

    assert parsed == messages.to_message(value, proto)
