"""A map of many items on a real ledger: what it costs, in time, events and memory."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET
from tests.integration.scheduler.installation import META, Platform, count, created, ended, history, owner
from tests.integration.scheduler.scripted import ScriptedExecutor
from tests.unit.domain.test_forms import call, graph, map_step, ref
from tests.waiting import until

from foldline.chassis.clock import new_id
from foldline.domain.artifacts import Artifact
from foldline.domain.commands import CreateRun
from foldline.domain.spec import Binding
from foldline.domain.work import Work
from foldline_scheduler.owner import Owner

PATIENCE = 3600.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Seen:
    """What a run of the map was seen to take."""

    items: int
    seconds: float = 0.0
    events: int = 0  # of the parent
    bytes: int = 0  # of the parent's events
    children: int = 0
    largest: int = 0  # bytes of the largest event of the parent
    open_at_most: int = 0  # runs in the owner's hands
    resident: list[tuple[int, int]] = field(default_factory=list)  # items done, and MiB resident then


class Busy(ScriptedExecutor):
    """Does every item at once and remembers none of them; looks at the owner now and then."""

    def __init__(self, platform: Platform, seen: Seen, one: Owner, numbers: Artifact) -> None:
        super().__init__(platform.bus, new_id(), slots=64, behave=self._doubled)
        self.done = 0
        self._seen = seen
        self._owner = one
        self._numbers = numbers
        self._step = max(1, seen.items // 10)

    def _doubled(self, work: Work) -> Mapping[str, Any]:
        self.orders.clear()
        self.acks.clear()
        if work.function.name == "numbers":
            return {"output": self._numbers}
        self.done += 1
        if self.done % self._step == 1:
            self._seen.resident.append((self.done, resident_mib()))
        self._seen.open_at_most = max(self._seen.open_at_most, len(self._owner.held))
        given = work.inputs["x"]
        value: Any = given.value if given.artifact is UNSET else given.artifact.value
        return {"output": value * 2}


async def play(platform: Platform, items: int, *, stored: bool = True) -> Seen:
    """Run a map over so many numbers to its end; the list is an artifact, or else a value of the graph."""
    seen = Seen(items)
    content = msgspec.json.encode(list(range(items)))
    numbers = Artifact(
        digest=await platform.artifacts.put_bytes(content),
        type="json",
        encoding="json",
        size_bytes=len(content),
    )
    if stored:
        run = created(graph(call("numbers"), map_step(ref("numbers"))))
    else:
        run = created(graph(map_step(Binding(value=list(range(items))))))
    async with owner(platform, silence=PATIENCE) as one:
        busy = Busy(platform, seen, one, numbers)
        await busy.start()
        began = time.perf_counter()
        await one.command(run.run_id, CreateRun(run), META)
        await until(lambda: busy.done >= items, timeout=PATIENCE)
        await until(ended(platform, run), timeout=60)
        seen.seconds = time.perf_counter() - began
        await until(lambda: not one.held)
    recorded = await history(platform, run)
    seen.events = len(recorded)
    sizes = [len(event.payload) for event in recorded]
    seen.bytes, seen.largest = sum(sizes), max(sizes)
    seen.children = count(recorded, "ChildEnded")
    return seen


def resident_mib() -> int:
    """Of this process, which is scheduler, executor and test at once."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES >> 20
