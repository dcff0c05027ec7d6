"""Runs hash to partitions; whoever leases a partition owns its runs."""

from __future__ import annotations

import zlib

PARTITIONS = 16


def partition_of(run_id: str) -> int:
    """Stable for ever: reports of running attempts carry it."""
    return zlib.crc32(run_id.encode()) % PARTITIONS
