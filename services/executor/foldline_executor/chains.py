"""What an order may go on with, ahead of the ledger (docs/adr/0013).

An order names attempts that nobody but the one before them holds up. As long as attempts succeed, and not
much time has passed, the next one is begun at once; the scheduler hears of it with the success that it stands
on, and has the last word. What it gives is filled in from what the ones before gave.
"""

from __future__ import annotations

import time
from collections import deque

import msgspec
from msgspec import UNSET

from foldline.domain.artifacts import Artifact
from foldline.domain.work import AttemptKey, Input, Work

AHEAD_SECONDS = 0.05
"""A chain keeps its slot for so long and not longer: others may wait for it."""


class Chain:
    """The attempts of one order."""

    def __init__(self, first: Work) -> None:
        self.done: set[AttemptKey] = set()
        self._ahead = deque(first.ahead)
        self._outputs: dict[str, dict[str, Artifact]] = {}
        self._end = 0.0

    def start(self) -> None:
        """The first one has got its slot."""
        self._end = time.monotonic() + AHEAD_SECONDS

    def cut(self) -> None:
        """Nothing more goes on."""
        self._ahead.clear()

    def next(self, ended: Work, outputs: dict[str, Artifact]) -> Work | None:
        """What to begin after that success; None where somebody else has to decide."""
        if not self._ahead or time.monotonic() > self._end:
            return None
        self.done.add(ended.key)
        self._outputs[ended.key.step] = outputs
        work = self._ahead.popleft()
        inputs = {name: self._given(one) for name, one in work.inputs.items()}
        if any(one is None for one in inputs.values()):
            return None  # the scheduler says what is missing
        return msgspec.structs.replace(work, inputs=inputs)

    def _given(self, one: Input) -> Input | None:
        if one.output is UNSET:
            return one
        artifact = self._outputs.get(one.output.step, {}).get(one.output.name)
        return None if artifact is None else Input(artifact=artifact)
