"""Names of the streams that the scheduler writes, and the ids in them."""

from __future__ import annotations

from uuid import UUID, uuid5

from foldline.chassis.clock import new_id

_REQUESTS = UUID("7c9a3a34-3a0e-5d0b-9a53-6c0f1c1f6f0e")
"""Name space of ids that are made from a request id; any constant will do."""


def run_stream(run_id: str) -> str:
    return f"run-{run_id}"


def run_id_of(stream: str) -> str:
    return stream.removeprefix("run-")


def mint_run_id(workspace: str, request_id: str) -> str:
    """A new id; with a request id always the same one, which is what makes a repeated start safe."""
    if not request_id:
        return new_id()
    return str(uuid5(_REQUESTS, f"{workspace}/{request_id}"))
