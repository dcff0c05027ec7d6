"""Which struct mirrors which message: by module, and in it by name."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import msgspec
from google.protobuf.message import Message

from foldline.api.event.v1 import (
    artifact_pb2,
    registry_events_pb2,
    relations_pb2,
    run_events_pb2,
    schedule_events_pb2,
)
from foldline.api.executor.v1 import work_pb2
from foldline.api.failure.v1 import failure_pb2
from foldline.api.workflow.v1 import workflow_pb2
from foldline.domain import (
    artifacts,
    failures,
    registry_events,
    relations,
    run_events,
    schedule_events,
    spec,
    work,
)

#: A module of structs and the module of the messages that they mirror.
PAIRS: tuple[tuple[ModuleType, Any], ...] = (
    (spec, workflow_pb2),
    (artifacts, artifact_pb2),
    (failures, failure_pb2),
    (relations, relations_pb2),
    (run_events, run_events_pb2),
    (registry_events, registry_events_pb2),
    (schedule_events, schedule_events_pb2),
    (work, work_pb2),
)

_BASES = {spec.Declared, relations.Relation, run_events.Event, work.Message}


def structs_of(module: ModuleType) -> dict[str, type[msgspec.Struct]]:
    return {
        name: cls
        for name, cls in vars(module).items()
        if inspect.isclass(cls)
        and issubclass(cls, msgspec.Struct)
        and cls.__module__ == module.__name__
        and cls not in _BASES
    }


def messages_of(module: Any) -> dict[str, type[Message]]:
    return {name: getattr(module, name) for name in module.DESCRIPTOR.message_types_by_name}


MIRRORS: list[tuple[type[msgspec.Struct], type[Message]]] = [
    (cls, messages_of(protos)[name])
    for module, protos in PAIRS
    for name, cls in structs_of(module).items()
    if name in messages_of(protos)
]
