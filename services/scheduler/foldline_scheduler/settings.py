"""What the scheduler reads from its environment (prefix FOLDLINE_)."""

from __future__ import annotations

import msgspec

from foldline.access.admission import CALLS
from foldline.artifacts.store import PATIENCE_SECONDS
from foldline.chassis.settings import Secret
from foldline_scheduler.backlog import RUNS
from foldline_scheduler.limits import FlavorsText, LimitsText


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    postgres: Secret
    nats: Secret
    token_key: Secret
    registry: str  # host:port of the registry's gRPC
    artifacts: str  # folder, or address of an object store: lists that maps run over
    artifacts_patience_seconds: float = PATIENCE_SECONDS  # how long a store that is away is tried again
    listen: str = "127.0.0.1:0"
    admin: str = "127.0.0.1:0"
    log_format: str = "auto"
    calls: int = CALLS  # RPCs under way at once, and as many streams; docs/overload.md
    lease_seconds: float = 2.0  # its partitions are free this long after a scheduler was last heard of
    limits: LimitsText = LimitsText("")  # JSON: attempts at once and weights; docs/queues.md
    flavors: FlavorsText = FlavorsText("")  # JSON: named sizes of steps; docs/queues.md
    backlog: int = RUNS  # runs that may wait for an executor; docs/overload.md
    silence_seconds: float = 5.0  # an executor session unheard of for this long is lost
