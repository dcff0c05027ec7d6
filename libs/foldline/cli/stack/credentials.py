"""The installation's key and the token of its local admin."""

from __future__ import annotations

import secrets

import msgspec

from foldline.access import tokens
from foldline.chassis.clock import SystemClock
from foldline.cli.stack.home import Home, write_private

WORKSPACE = "default"
SUBJECT = "local-admin"
TTL_SECONDS = 365 * 24 * 3600


class ClientFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the CLI and the SDK need to reach this installation (client.json)."""

    server: str
    console: str
    token: str
    workspace: str = WORKSPACE


def key(home: Home) -> str:
    """The key that signs tokens; made at the first start and kept."""
    if not home.key.exists():
        write_private(home.key, secrets.token_hex(32) + "\n")
    return home.key.read_text().strip()


def write_client(home: Home, *, server: str, console: str) -> ClientFile:
    """Write client.json with a fresh token; the workspace that somebody chose there stays."""
    token = tokens.issue(
        key(home), subject=SUBJECT, grants={"*": "admin"}, ttl_seconds=TTL_SECONDS, now=SystemClock().now()
    )
    earlier = read_client(home)
    client = ClientFile(
        server=server,
        console=console,
        token=token,
        workspace=earlier.workspace if earlier else WORKSPACE,
    )
    write_private(home.client, msgspec.json.format(msgspec.json.encode(client)).decode() + "\n")
    return client


def read_client(home: Home) -> ClientFile | None:
    try:
        return msgspec.json.decode(home.client.read_bytes(), type=ClientFile)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
