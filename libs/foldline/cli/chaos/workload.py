"""Workflows made from a seed, as source text, and how a run of each must end. Pure.

Values are whole numbers below a prime, so that what comes out depends on every step having run exactly as it
should. Among the steps are those that fail in their first attempt, maps over steps and over workflows,
branches, loops, workflows inside, questions to people, events from outside, steps that may be reused, that
are unsafe to run again, and that give more than travels in an event. Some workflows fail or are stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from random import Random

import msgspec

PRIME = 1_000_003
SOURCE = "workload.txt"
"""The steps that all workflows are made of."""

KINDS = {
    "mix": 5,
    "shaky": 2,
    "map": 2,
    "branch": 2,
    "inner": 1,
    "each": 1,
    "loop": 1,
    "approve": 1,
    "go": 1,
    "pause": 1,
    "reused": 1,
    "unsafe": 2,
    "large": 1,
}
OUTCOMES = {"completed": 8, "failed": 1, "stopped": 1}


class Workload(msgspec.Struct, frozen=True):
    """One workflow: its source, how a run of it ends for the default start, and its output `result`."""

    name: str
    source: str
    status: str
    result: int


def make(seed: int, witness: str, size: int = 9) -> Workload:
    """A workflow of about `size` steps."""
    random = Random(seed)  # noqa: S311 - the same for the same seed is what is wanted
    maker = _Maker(random)
    while len(maker.known) <= size:
        maker.add(random.choices(list(KINDS), list(KINDS.values()))[0])
    last, result = maker.known[-1]
    status = random.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
    if status == "failed":
        maker.lines.append(f"    broken({last})")
    elif status == "stopped":
        maker.lines.append(f'    fl.approve("Stop?", name="stop-{len(maker.known)}", value={last})')
    if random.random() < 0.5:
        maker.lines += ["    with fl.on_exit():", "        last_words(fl.outcome.status)"]
    name = f"chaos_{seed}"
    head = (files(__package__) / SOURCE).read_text()
    for word, value in {"SEED": str(seed), "FOLDER": repr(witness), "NAME": name}.items():
        head = head.replace(f"@{word}@", value)
    source = head + "\n".join([*maker.lines, f'    return {{"result": {last}}}', ""])
    return Workload(name, source, status, result)


class _Maker:
    """The lines of a workflow, and the values known so far with their names."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.lines: list[str] = []
        self.known: list[tuple[str, int]] = [("start", 1)]

    def add(self, kind: str) -> None:
        (one, a), (other, b) = self._pick(), self._pick()
        make: Callable[[str, int, str, int], None] = getattr(self, f"_{kind}")
        make(one, a, other, b)

    def _pick(self) -> tuple[str, int]:
        return self.random.choice(self.known[-4:])

    def _give(self, text: str, value: int) -> None:
        name = f"v{len(self.known)}"
        self.lines.append(f"    {name} = {text}")
        self.known.append((name, value))

    def _mix(self, one: str, a: int, other: str, b: int) -> None:
        self._give(f"mix({one}, {other}, {self.random.choice((0, 5, 20, 80, 300))})", mixed(a, b))

    def _shaky(self, one: str, a: int, _other: str, _b: int) -> None:
        self._give(f"shaky({one}, {self.random.choice((0, 20, 80))})", (a * 13 + 5) % PRIME)

    def _map(self, one: str, a: int, _other: str, _b: int) -> None:
        count = self.random.choice((1, 5, 30))
        values = [((a + place) % PRIME) ** 2 % PRIME for place in range(count)]
        self._give(f"total(fl.map(square, numbers({one}, {count}), parallelism=4))", sum(values) % PRIME)

    def _each(self, one: str, a: int, _other: str, _b: int) -> None:
        count = self.random.choice((2, 4))
        values = [within((a + place) % PRIME) for place in range(count)]
        self._give(f"total(fl.map(within, numbers({one}, {count})))", sum(values) % PRIME)

    def _inner(self, one: str, a: int, _other: str, _b: int) -> None:
        self._give(f'mix(asked({one})["result"], 4, 0)', mixed(mixed(a, 9), 4))

    def _loop(self, one: str, a: int, _other: str, _b: int) -> None:
        turns, value = self.random.choice((1, 3)), a
        for turn in range(turns):
            value = mixed(value, turn)
        until = f'until=lambda out: out["n"] >= {turns}'
        self._give(f'mix(fl.repeat(turn, {until}, maximum=5, a={one}, n=0)["a"], 5, 0)', mixed(value, 5))

    def _branch(self, one: str, a: int, other: str, b: int) -> None:
        if one == "start":  # a condition looks at a step, not at a constant
            return
        border = self.random.randrange(PRIME)
        self._either(f"{one} > {border}", a > border, other, b)

    def _approve(self, one: str, _a: int, other: str, b: int) -> None:
        if one == "start":
            return
        number, word = len(self.known), self.random.choice(("yes", "no"))
        question = f'"Go on?", at_rejection="continue", name="{word}-{number}", value={one}'
        self.lines.append(f"    asked{number} = fl.approve({question})")
        self._either(f"asked{number}.approved", word == "yes", other, b)

    def _either(self, condition: str, holds: bool, other: str, b: int) -> None:
        number = len(self.known)
        self.lines += [
            f"    with fl.when({condition}):",
            f"        yes{number} = mix({other}, 1, 0)",
            "    with fl.otherwise():",
            f"        no{number} = mix({other}, 2, 0)",
        ]
        self._give(f"mix(fl.merge(yes{number}, no{number}), 3, 0)", mixed(mixed(b, 1 if holds else 2), 3))

    def _pause(self, one: str, a: int, _other: str, _b: int) -> None:
        if one == "start":
            return
        number = len(self.known)
        self.lines.append(f'    held{number} = fl.approve("Pause?", name="pause-{number}", value={one})')
        self._give(f"told({one}, held{number}.approved)", mixed(a, 1))

    def _go(self, one: str, a: int, _other: str, _b: int) -> None:
        number = len(self.known)
        self.lines.append(f'    heard{number} = fl.wait_for_event("go-{number}", name="go-{number}")')
        self._give(f"told({one}, heard{number}.data)", mixed(a, number))

    def _reused(self, one: str, a: int, _other: str, _b: int) -> None:
        self._give(f"costly({one})", (a * 19 + 2) % PRIME)

    def _unsafe(self, one: str, a: int, _other: str, _b: int) -> None:
        self._give(f"unsafe({one}, {self.random.choice((0, 20, 80, 300))})", (a * 23 + 4) % PRIME)

    def _large(self, one: str, a: int, _other: str, _b: int) -> None:
        self._give(f"first(large({one}))", a)


def mixed(a: int, b: int) -> int:
    return (a * 31 + b * 17 + 7) % PRIME


def within(x: int) -> int:
    return mixed(x, 6) ** 2 % PRIME
