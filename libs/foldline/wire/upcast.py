"""Old versions of events, lifted to current ones while they are read. Nothing in the ledger is ever edited.

An event type that changes gets a new name (AttemptFailedV2) and, here, one small function from the old
payload to the new. Functions chain: what one returns may be old as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Upcaster = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]
"""From the old payload to the next type and its payload."""

UPCASTERS: Mapping[str, Upcaster] = {}
"""By the old type's name. Empty: no released event has changed so far."""


def upcast(
    type_: str, payload: dict[str, Any], upcasters: Mapping[str, Upcaster] = UPCASTERS
) -> tuple[str, dict[str, Any]]:
    """The current type and payload of an event that was written as `type_`."""
    while (upcaster := upcasters.get(type_)) is not None:
        type_, payload = upcaster(payload)
    return type_, payload
