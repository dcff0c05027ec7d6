"""Addresses to listen on, "host:port"."""

from __future__ import annotations


def split(address: str) -> tuple[str, int]:
    """Host and port. "[::1]:80" gives ("::1", 80). Raises ValueError naming the address."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{address!r} is not an address of the form host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)
