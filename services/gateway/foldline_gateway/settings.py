"""What the gateway needs from its environment."""

from __future__ import annotations

import msgspec

from foldline.access.admission import CALLS
from foldline.chassis.settings import Secret


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    token_key: Secret
    #: gRPC front door, host:port.
    listen: str
    #: HTTP: Connect, gRPC-Web, downloads and the console, host:port.
    http: str
    #: /livez, /readyz, /metrics, host:port.
    admin: str = "127.0.0.1:0"
    #: Where the services are, host:port each.
    registry: str
    scheduler: str
    recorder: str
    executor: str
    log_format: str = "auto"
    calls: int = CALLS  # RPCs under way at once, and as many streams; docs/overload.md
