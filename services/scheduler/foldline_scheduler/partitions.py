"""Runs hash to partitions; whoever leases a partition owns its runs, and the runs inside them."""

from __future__ import annotations

import zlib

from foldline.domain.inner import root_id

PARTITIONS = 16


def partition_of(run_id: str) -> int:
    """Stable for ever: reports of running attempts carry it. A run inside a step is where its root is."""
    return zlib.crc32(root_id(run_id).encode()) % PARTITIONS
