"""Workflows made from a seed, as source text, and what a run of each must give. Pure.

Values are whole numbers below a prime, so that what comes out depends on every step having run exactly as it
should. A few steps fail in their first attempt on purpose.
"""

from __future__ import annotations

from random import Random

import msgspec

PRIME = 1_000_003

_HEAD = '''"""Made by foldline chaos from seed {seed}."""

import os
import time

import foldline as fl

WITNESS = {witness!r}


def seen() -> int:
    """Leave a file that says that this attempt was called. The number of the attempt."""
    me = fl.current()
    path = os.path.join(WITNESS, f"{{me.run_id}}:{{me.step}}:{{me.attempt}}")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        os.close(os.open(f"{{path}}:again", os.O_CREAT | os.O_WRONLY))
    return me.attempt


@fl.step
def mix(a: int, b: int, ms: int) -> int:
    seen()
    time.sleep(ms / 1000)
    return (a * 31 + b * 17 + 7) % {prime}


@fl.step(retry=fl.Retry(max_attempts=2))
def shaky(a: int, ms: int) -> int:
    attempt = seen()
    time.sleep(ms / 1000)
    if attempt == 1:
        raise ValueError("it always fails the first time")
    return (a * 13 + 5) % {prime}


@fl.step
def numbers(a: int, count: int) -> list:
    seen()
    return [(a + place) % {prime} for place in range(count)]


@fl.step
def square(x: int) -> int:
    seen()
    return x * x % {prime}


@fl.step
def total(values: list) -> int:
    seen()
    return sum(values) % {prime}


@fl.workflow
def {name}(start: int = 1):
'''


class Workload(msgspec.Struct, frozen=True):
    """One workflow: its source, and what its output `result` is for the default start."""

    name: str
    source: str
    result: int


def make(seed: int, witness: str, size: int = 12) -> Workload:
    """A workflow of about `size` steps."""
    random = Random(seed)  # noqa: S311 - the same for the same seed is what is wanted
    lines: list[str] = []
    known: list[tuple[str, int]] = [("start", 1)]

    def pick() -> tuple[str, int]:
        return random.choice(known[-4:])

    def add(text: str, value: int) -> None:
        name = f"v{len(known)}"
        lines.append(f"    {name} = {text}")
        known.append((name, value))

    while len(known) <= size:
        (one, a), (other, b), ms = pick(), pick(), random.choice((0, 5, 20, 80))
        kind = random.choice(("mix", "mix", "mix", "shaky", "map", "branch"))
        if kind == "mix":
            add(f"mix({one}, {other}, {ms})", mixed(a, b))
        elif kind == "shaky":
            add(f"shaky({one}, {ms})", (a * 13 + 5) % PRIME)
        elif kind == "map":
            count = random.choice((1, 5, 30))
            values = [((a + place) % PRIME) ** 2 % PRIME for place in range(count)]
            add(f"total(fl.map(square, numbers({one}, {count}), parallelism=4))", sum(values) % PRIME)
        elif one != "start":  # a condition looks at a step, not at a constant
            border, number = random.randrange(PRIME), len(known)
            lines += [
                f"    with fl.when({one} > {border}):",
                f"        yes{number} = mix({other}, 1, 0)",
                "    with fl.otherwise():",
                f"        no{number} = mix({other}, 2, 0)",
            ]
            add(f"mix(fl.merge(yes{number}, no{number}), 3, 0)", mixed(mixed(b, 1 if a > border else 2), 3))
    last, result = known[-1]
    name = f"chaos_{seed}"
    head = _HEAD.format(seed=seed, witness=witness, prime=PRIME, name=name)
    return Workload(name, head + "\n".join([*lines, f'    return {{"result": {last}}}', ""]), result)


def mixed(a: int, b: int) -> int:
    return (a * 31 + b * 17 + 7) % PRIME
