"""Migrations are numbered without gap and only go forward; each service keeps to its own schema."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from tests.architecture.tree import LIBS, SERVICES

from foldline.cli.stack import programs

FOLDERS = sorted([*LIBS.rglob("migrations"), *SERVICES.glob("*/foldline_*/migrations")])


def schemas(text: str) -> set[str]:
    """Every schema that a statement about tables names."""
    pattern = r"\b(?:table|into|update|from|join|references)\s+(?:if (?:not )?exists\s+)?(\w+)\.\w+"
    return set(re.findall(pattern, text.lower()))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_numbers_have_no_gap(folder: Path) -> None:
    names = sorted(path.name for path in folder.glob("*.sql"))

    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name) for name in names)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_nothing_goes_back(folder: Path) -> None:
    backward = [path.name for path in folder.glob("*") if re.search(r"down|rollback|revert", path.name)]

    assert backward == []


def test_every_folder_of_migrations_is_applied_by_foldline_migrate() -> None:
    applied = {str(files(package) / "migrations") for _, package in programs.owners()}

    assert {str(folder) for folder in FOLDERS} <= applied


@pytest.mark.parametrize(
    "package", sorted(path for path in SERVICES.glob("*/foldline_*")), ids=lambda package: package.name
)
def test_a_service_names_no_schema_but_its_own_and_the_ledger(package: Path) -> None:
    own = package.name.removeprefix("foldline_")
    foreign = {
        str(path.relative_to(package)): extra
        for path in package.rglob("*.sql")
        if (extra := schemas(path.read_text()) - {own, "ledger", "pg_catalog"})
    }

    assert foreign == {}
