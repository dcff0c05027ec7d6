"""Randomness across the fork: alike only where the author asked for it.

Children of one parent inherit the state of its random generators. Where the workflow's module seeded a
generator while it was imported, each attempt starts from exactly that state, as it would in a process of its
own; everywhere else it gets fresh randomness.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

_hidden: Any = random._inst  # noqa: SLF001 - the generator behind the functions
_seed_natively: Callable[[int], None] = super(random.Random, _hidden).seed
_SEED_BYTES = 32


class SeedWatch:
    """Notices whether a module that is imported inside it calls random.seed with a seed."""

    def __init__(self) -> None:
        self._state: tuple[Any, ...] | None = None
        self._seed = random.seed
        self._is_seeded = False
        self._numpy_state: Any = None

    def __enter__(self) -> SeedWatch:
        random.seed = self._watch
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        random.seed = self._seed
        if self._is_seeded:
            self._state = random.getstate()

    def settle(self) -> None:
        """In the child: neither `random` (see `forks`) nor numpy has new entropy there; put both right."""
        if self._state is not None:
            random.setstate(self._state)
        else:
            _reseed()
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is not None:
            # A generator that was seeded by hand has forgotten the entropy it was born with.
            generator = numpy_random.get_bit_generator()
            if getattr(generator, "_seed_seq", None) is not None:
                numpy_random.seed()
            else:
                self._numpy_state = numpy_random.get_state()

    def settle_again(self) -> None:
        """Before each attempt of several in one process: as if it were the first, whatever the others did."""
        if self._state is not None:
            random.setstate(self._state)
        else:
            _reseed()
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is None:
            return
        if self._numpy_state is not None:
            numpy_random.set_state(self._numpy_state)
        else:
            numpy_random.seed()

    def _watch(self, a: Any = None, version: int = 2) -> None:
        self._is_seeded = a is not None
        self._seed(a, version)


def _reseed() -> None:
    """What random.seed() comes to, which would ask for 2500 bytes of entropy."""
    _seed_natively(int.from_bytes(os.urandom(_SEED_BYTES), "little"))
    _hidden.gauss_next = None
