"""Installations for the tests of the whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.installation import Installation, installed


@pytest.fixture(scope="session")
def platform() -> Iterator[Installation]:
    """One installation for all tests that leave it whole."""
    yield from _installation()


@pytest.fixture(scope="module")
def own_platform() -> Iterator[Installation]:
    """An installation for the tests of one module, which may hurt it."""
    yield from _installation()


def _installation() -> Iterator[Installation]:
    # Not below pytest's folder: a look into the logs is wanted only when something failed, and then at once.
    folder = Path(tempfile.mkdtemp(prefix="foldline-"))
    try:
        with installed(folder / "home") as installation:
            yield installation
    finally:
        shutil.rmtree(folder, ignore_errors=True)
