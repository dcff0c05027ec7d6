"""The ports of one installation: chosen once, kept for the next start, given up when others took them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from foldline.cli.stack.home import write_private
from foldline.cli.stack.ports import LOOPBACK, free_port

#: Below the range from which the kernel takes the ports of outgoing connections, above the well-known ones.
RANGE = range(20_000, 32_000)
ATTEMPTS = 200


class PortTaken(Exception):
    """Somebody listens on a port that was asked for by name."""


def allot(path: Path, names: Iterable[str], wished: Mapping[str, int]) -> dict[str, int]:
    """A free port for each name: the wished one, else last time's, else any; kept in `path`."""
    last = _read(path)
    chosen: dict[str, int] = {}
    for name in names:
        wish = wished.get(name, 0)
        if wish and (wish in chosen.values() or not _is_free(wish)):
            raise PortTaken(f"port {wish}, asked for as {name}, is taken")
        chosen[name] = wish or _usable(last.get(name, 0), chosen) or _any(chosen)
    write_private(path, msgspec.json.format(msgspec.json.encode(chosen)).decode() + "\n")
    return chosen


def address(port: int) -> str:
    return f"{LOOPBACK}:{port}"


def _read(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _usable(port: int, chosen: Mapping[str, int]) -> int:
    return port if port and port not in chosen.values() and _is_free(port) else 0


def _any(chosen: Mapping[str, int]) -> int:
    # Chance keeps two installations that start at the same moment apart; it decides nothing else.
    for port in random.SystemRandom().sample(RANGE, ATTEMPTS):
        if _usable(port, chosen):
            return port
    return free_port()


def _is_free(port: int) -> bool:
    return free_port(port) == port
