"""The kept streams, declared in code: created where missing, brought up to date where different."""

from __future__ import annotations

from nats.js import JetStreamContext, api
from nats.js.errors import BadRequestError

from foldline.bus import subjects

EVENTS = "EVENTS"
PARKED = "PARKED"

DUPLICATE_WINDOW_SECONDS = 600.0
"""How long a second copy of a fact is recognised; longer than a relay takes to come back."""

_DAY = 86_400.0
_MIB = 1024 * 1024
_NAME_IN_USE = 10058  # "stream name already in use with a different configuration"

STREAMS = (
    api.StreamConfig(
        name=EVENTS,
        description="Facts from the ledger, as CloudEvents",
        subjects=[subjects.EVENTS],
        storage=api.StorageType.FILE,
        retention=api.RetentionPolicy.LIMITS,
        discard=api.DiscardPolicy.OLD,
        max_age=7 * _DAY,
        max_bytes=512 * _MIB,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        compression=api.StoreCompression.S2,
        allow_direct=True,
    ),
    api.StreamConfig(
        name=PARKED,
        description="Messages that could not be handled",
        subjects=[subjects.PARKED],
        storage=api.StorageType.FILE,
        retention=api.RetentionPolicy.LIMITS,
        discard=api.DiscardPolicy.OLD,
        max_age=30 * _DAY,
        max_bytes=64 * _MIB,
        duplicate_window=120.0,
        allow_direct=True,
    ),
)


async def declare(stream: JetStreamContext) -> None:
    """Make the streams be what is declared above. Several processes may do so at once."""
    for config in STREAMS:
        try:
            await stream.add_stream(config)
        except BadRequestError as error:
            if error.err_code != _NAME_IN_USE:
                raise
            await stream.update_stream(config)
