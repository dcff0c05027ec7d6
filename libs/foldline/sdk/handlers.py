"""What runs once the main part of a run has ended: `with fl.on_failure():` and `with fl.on_exit():`.

    with fl.on_failure():
        notify(fl.outcome.step, fl.outcome.message)

Steps inside are no part of the main part, may take what it produced, and do not change how it ended.

Standard library alone: step processes import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from foldline.sdk.problems import refuse
from foldline.sdk.references import FactRef
from foldline.sdk.tracing import required


class Outcome:
    """How the main part ended: placeholders for handlers alone."""

    @property
    def status(self) -> str:
        """ "completed", "failed" or "stopped"."""
        return _fact("status")

    @property
    def step(self) -> str:
        """The step that failed; empty where none did."""
        return _fact("step")

    @property
    def reason(self) -> str:
        """Why it failed, as a word that programs know."""
        return _fact("reason")

    @property
    def message(self) -> str:
        """Why it failed, as a sentence."""
        return _fact("message")

    def __repr__(self) -> str:
        return "fl.outcome"


outcome = Outcome()


@contextmanager
def on_failure() -> Iterator[None]:
    """Steps inside the block run once the main part has failed."""
    yield from _handler("fl.on_failure", "failure")


@contextmanager
def on_exit() -> Iterator[None]:
    """Steps inside the block run once the main part has ended, however."""
    yield from _handler("fl.on_exit", "exit")


def _handler(what: str, handles: str) -> Iterator[None]:
    trace = required(what)
    if trace.handles or trace.branches:
        message = "stands inside another block; write it beside, with any fl.when inside of it"
        raise refuse("ILLEGAL_HANDLER", what, message)
    with trace.handling(handles):
        yield


def _fact(name: str) -> str:
    return FactRef(name)  # type: ignore[return-value]  # a placeholder for it
