"""Who calls in these tests, and a gateway's settings."""

from __future__ import annotations

from foldline.access import tokens
from foldline.chassis.clock import SystemClock
from foldline.chassis.settings import Secret
from foldline_gateway.settings import Settings

KEY = Secret("a key that is long enough for HS256 in tests")


EVERYWHERE = "*"


def token(grants: dict[str, str], *, seconds: int = 60) -> str:
    """A token for Ada. `grants` is role by workspace."""
    return tokens.issue(KEY, subject="ada", grants=grants, ttl_seconds=seconds, now=SystemClock().now())


def bearer(**grants: str) -> dict[str, str]:
    """bearer(lab="viewer"): the header that says so."""
    return {"authorization": f"Bearer {token(grants)}"}


def everywhere(role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token({EVERYWHERE: role})}"}


def settings(address: str) -> Settings:
    return Settings(
        token_key=KEY,
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        registry=address,
        scheduler=address,
        recorder=address,
        executor=address,
    )
