"""A machine on which packages come from a folder of the test alone, with a cache of uv's of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.packages import Packages


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    packages = Packages(tmp_path / "packages")
    for name in list(os.environ):  # noqa: TID251 - what the developer's machine says is not to matter
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_FIND_LINKS", str(packages.folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    return packages


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where environments are."""
    return tmp_path / "environments"
