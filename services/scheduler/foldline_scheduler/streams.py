"""Names of the streams that the scheduler writes, and the ids in them."""

from __future__ import annotations

import hashlib
from uuid import UUID

from foldline.chassis.clock import new_id


def run_stream(run_id: str) -> str:
    return f"run-{run_id}"


def run_id_of(stream: str) -> str:
    return stream.removeprefix("run-")


def mint_run_id(workspace: str, request_id: str) -> str:
    """A new id; with a request id always the same one, which is what makes a repeated start safe."""
    if not request_id:
        return new_id()
    digest = hashlib.sha256(f"{workspace}\0{request_id}".encode()).digest()
    return str(UUID(bytes=digest[:16], version=8))  # RFC 9562: version 8 is for such ids of one's own
