"""Statements live in files, one each, in the folder `sql` beside the package that runs them."""

from __future__ import annotations

from importlib import resources


def load(package: str, name: str) -> str:
    """The text of `sql/<name>.sql` in `package`. Call it at import, so that a missing file fails at start."""
    return (resources.files(package) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def names(package: str) -> list[str]:
    """Every statement that the package has."""
    folder = resources.files(package) / "sql"
    if not folder.is_dir():
        return []
    return sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql"))
