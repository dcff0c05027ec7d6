"""What a campaign will do, from its seed alone: the same seed gives the same plan. Pure.

A fault strikes after the n-th event of a type from now on, so it falls between any two facts of the runs, and
not at a time of the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

KINDS = {
    "kill": 6,  # SIGKILL
    "restart": 3,  # SIGTERM
    "pause": 3,  # SIGSTOP for a while
    "cut-off": 3,  # a program hears nothing of NATS or Postgres for a while
    "fill-disk": 2,  # an executor, and what runs in it, can write to no file for a while
    "kill-nats": 1,
    "wipe-nats": 1,  # NATS is killed and its storage removed
    "pause-nats": 1,  # nobody hears anybody
    "pause-postgres": 1,  # nobody gets an answer from it
    "stop-postgres": 1,  # told to stop at once: every connection is cut, recovery from its log
}
"""How often each is drawn."""

BOUNDARIES = {
    "StepScheduled": (4, 8),
    "AttemptSucceeded": (4, 8),
    "AttemptStarted": (2, 3),
    "ChildStarted": (2, 3),
    "ChildEnded": (2, 3),
    "RunCreated": (1, 2),
    "RunCompleted": (1, 2),
    "AttemptFailed": (1, 1),
    "RetryScheduled": (1, 1),
    "WaitOpened": (1, 1),
    "WaitAnswered": (1, 1),
    "StepHeld": (1, 1),
}
"""Events after which a fault may strike: how often each type is drawn, and after how many of it at most."""

_WEIGHTS = [weight for weight, _ in BOUNDARIES.values()]

LONGEST_SECONDS = 8.0
LONGEST_OF_ALL_SECONDS = 2.5
"""Of what stops everybody."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Strikes after `count` more events of type `event`; `target` is a program of the installation; `seconds`
    of what passes; `server` and `is_silent` of a program that is cut off.
    """

    kind: str
    target: str
    event: str
    count: int = 1
    seconds: float = 0.0
    server: str = ""
    is_silent: bool = False

    def __str__(self) -> str:
        how = f" from {self.server} ({'silent' if self.is_silent else 'broken'})" if self.server else ""
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind} {self.target}{how}{lasting} after {self.count} {self.event}"


def make(seed: int, count: int, programs: Sequence[str], ways: Sequence[tuple[str, str]]) -> list[Fault]:
    """`count` faults on these programs (services and their replicas), and on these ways from a program to a
    server; without ways nobody is cut off.
    """
    random = Random(seed)  # noqa: S311 - the same for the same seed is what is wanted
    kinds = {kind: weight for kind, weight in KINDS.items() if ways or kind != "cut-off"}
    executors = [one for one in programs if one.startswith("executor")]
    faults = []
    for _ in range(count):
        kind = random.choices(list(kinds), list(kinds.values()))[0]
        event = random.choices(list(BOUNDARIES), _WEIGHTS)[0]
        number = random.randint(1, BOUNDARIES[event][1])
        seconds = round(random.uniform(0.2, LONGEST_SECONDS), 1)
        target, server, is_silent = random.choice(programs), "", False
        match kind:
            case "cut-off":
                (target, server), is_silent = random.choice(ways), random.random() < 0.5
            case "fill-disk":
                target = random.choice(executors)
            case "pause":
                pass
            case "pause-nats" | "pause-postgres":
                target, seconds = kind.partition("-")[2], min(seconds, LONGEST_OF_ALL_SECONDS)
            case "kill-nats" | "wipe-nats":
                target, seconds = "nats", 0.0
            case "stop-postgres":
                target, seconds = "postgres", 0.0
            case _:
                seconds = 0.0
        faults.append(
            Fault(
                kind=kind,
                target=target,
                event=event,
                count=number,
                seconds=seconds,
                server=server,
                is_silent=is_silent,
            )
        )
    return faults
