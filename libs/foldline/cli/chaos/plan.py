"""What a campaign will do, from its seed alone: the same seed gives the same plan. Pure.

A fault strikes once so many events more are in the ledger, so it falls between any two facts of the runs, and
not at a time of the clock.
"""

from __future__ import annotations

from random import Random

import msgspec

KINDS = ("kill", "kill", "kill", "restart", "pause", "wipe-nats", "stop-postgres", "cut-off")
"""kill: SIGKILL. restart: SIGTERM. pause: SIGSTOP for a while. wipe-nats: NATS is killed and its storage
removed. stop-postgres: Postgres is told to stop at once, cutting every connection. cut-off: NATS stands
still for a while, so nobody hears anybody."""

LONGEST_PAUSE_SECONDS = 8.0
MOST_EVENTS_BETWEEN = 60


class Fault(msgspec.Struct, frozen=True):
    """Strikes `after` events more; `target` is a program of the installation; `seconds` of a pause."""

    kind: str
    target: str
    after: int
    seconds: float = 0.0

    def __str__(self) -> str:
        pause = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind} {self.target}{pause}"


def make(seed: int, count: int, programs: list[str]) -> list[Fault]:
    """`count` faults on these programs (services and their replicas)."""
    random = Random(seed)  # noqa: S311 - the same for the same seed is what is wanted
    faults = []
    for _ in range(count):
        kind, after = random.choice(KINDS), random.randint(1, MOST_EVENTS_BETWEEN)
        target, seconds = random.choice(programs), round(random.uniform(0.2, LONGEST_PAUSE_SECONDS), 1)
        match kind:
            case "wipe-nats":
                faults.append(Fault(kind, "nats", after))
            case "cut-off":
                faults.append(Fault(kind, "nats", after, min(seconds, 3.0)))
            case "stop-postgres":
                faults.append(Fault(kind, "postgres", after))
            case "pause":
                faults.append(Fault(kind, target, after, seconds))
            case _:
                faults.append(Fault(kind, target, after))
    return faults
