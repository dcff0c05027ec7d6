"""What the recorder reads from its environment (prefix FOLDLINE_)."""

from __future__ import annotations

import msgspec

from foldline.access.admission import CALLS
from foldline.artifacts.store import PATIENCE_SECONDS
from foldline.chassis.settings import Secret


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    postgres: Secret
    nats: Secret
    artifacts: str  # folder, or s3://bucket/prefix
    token_key: Secret
    artifacts_patience_seconds: float = PATIENCE_SECONDS  # how long a store that is away is tried again
    listen: str = "127.0.0.1:0"
    admin: str = "127.0.0.1:0"
    log_format: str = "auto"
    calls: int = CALLS  # RPCs under way at once, and as many streams; docs/overload.md
    cache_bytes: int = 64 * 1024 * 1024  # events whose folds are kept in memory
