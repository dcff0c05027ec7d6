"""Which processors an attempt may use, where it has said how many."""

from __future__ import annotations

import collections
import math
import os


class Cores:
    """Hands out the processors that the fewest attempts have."""

    def __init__(self) -> None:
        self._users: collections.Counter[int] = collections.Counter(dict.fromkeys(os.sched_getaffinity(0), 0))

    def take(self, cpu: float) -> list[int]:
        """As many as were asked for; none means all."""
        count = math.ceil(cpu)
        if not 0 < count < len(self._users):
            return []
        chosen = sorted(self._users, key=lambda core: (self._users[core], core))[:count]
        self._users.update(chosen)
        return chosen

    def give_back(self, cores: list[int]) -> None:
        if cores:
            self._users.subtract(cores)
