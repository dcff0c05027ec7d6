"""Workflows for people to look at: one that waits until it is stopped, one that fails."""

# ruff: noqa: T201 - what a step prints is its log

from __future__ import annotations

import time
from typing import Literal

import foldline as fl


@fl.step(title="Greet")
def greet(subject: str, count: int) -> list[str]:
    """Say it as often as asked for."""
    words = [f"hello {subject} {number}" for number in range(1, count + 1)]
    print("\n".join(words))
    return words


@fl.step(title="Hold", grace=2)
def hold(words: list[str]) -> int:
    """Hold on until somebody says stop."""
    print(f"holding {len(words)} words", flush=True)
    time.sleep(600)
    return len(words)


@fl.step(title="Break", retry=fl.Retry(max_attempts=2, delay=0.01))
def break_it(words: list[str]) -> int:
    print("about to break")
    raise LookupError(f"no place for {words[0]}")


@fl.workflow(title="Held")
def held(
    subject: str = fl.param(title="Subject", help="Whom to greet"),
    count: int = fl.param(3, ge=1, le=10, title="How often"),
    mood: Literal["good", "bad"] = fl.param("good", title="Mood"),
    loud: bool = fl.param(False, title="Loud"),
) -> object:
    """Greets, then waits to be stopped."""
    return {"held": hold(greet(subject, count))}


@fl.workflow(title="Broken")
def broken() -> object:
    """Fails at its second step."""
    return {"broken": break_it(greet("world", 2))}
