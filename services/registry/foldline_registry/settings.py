"""What the registry reads from its environment (prefix FOLDLINE_)."""

from __future__ import annotations

import msgspec

from foldline.chassis.settings import Secret


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    postgres: Secret
    artifacts: str  # folder path or s3://…
    token_key: Secret
    listen: str = "127.0.0.1:0"
    admin: str = "127.0.0.1:0"
    log_format: str = "auto"
