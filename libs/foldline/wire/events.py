"""Events as they stand in the ledger: a type name and a JSON text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import RegistryEvent
from foldline.domain.run_events import Event, RunEvent
from foldline.domain.schedule_events import ScheduleEvent
from foldline.wire.upcast import UPCASTERS, Upcaster, upcast

RUN_TYPES: Mapping[str, type[Event]] = {cls.__name__: cls for cls in get_args(RunEvent)}
REGISTRY_TYPES: Mapping[str, type[Event]] = {cls.__name__: cls for cls in get_args(RegistryEvent)}
SCHEDULE_TYPES: Mapping[str, type[Event]] = {cls.__name__: cls for cls in get_args(ScheduleEvent)}
TYPES: Mapping[str, type[Event]] = {**RUN_TYPES, **REGISTRY_TYPES, **SCHEDULE_TYPES}
"""Every event there is, by its type name."""

_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(cls) for name, cls in TYPES.items()}


def encode(event: Event) -> tuple[str, str]:
    """Type name and JSON text of an event: what is stored, hashed and published."""
    return type(event).__name__, _encoder.encode(event).decode()


def decode(type_: str, payload: str, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> Event:
    """The event behind a type name and a JSON text, lifted to its current version.

    Raises INVALID UNKNOWN_EVENT_TYPE or EVENT_UNREADABLE: a reader must stop there, not skip it.
    """
    try:
        if type_ in upcasters:
            type_, current = upcast(type_, msgspec.json.decode(payload), upcasters)
            return msgspec.convert(current, _known(type_))
        _known(type_)
        return _decoders[type_].decode(payload)
    except msgspec.MsgspecError as error:
        raise FoldlineError(
            Kind.INVALID,
            "EVENT_UNREADABLE",
            f"the payload of an event of type {type_} is not readable: {error}",
            type=type_,
        ) from error


def _known(type_: str) -> type[Event]:
    cls = TYPES.get(type_)
    if cls is None:
        raise FoldlineError(
            Kind.INVALID,
            "UNKNOWN_EVENT_TYPE",
            f"this version of Foldline does not know events of type {type_}",
            type=type_,
        )
    return cls
