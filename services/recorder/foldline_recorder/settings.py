"""What the recorder reads from its environment (prefix FOLDLINE_)."""

from __future__ import annotations

import msgspec

from foldline.chassis.settings import Secret


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    postgres: Secret
    nats: Secret
    artifacts: str  # folder, or s3://bucket/prefix
    token_key: Secret
    listen: str = "127.0.0.1:0"
    admin: str = "127.0.0.1:0"
    log_format: str = "auto"
    cache_bytes: int = 64 * 1024 * 1024  # events whose folds are kept in memory
