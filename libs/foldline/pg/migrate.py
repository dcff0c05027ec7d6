"""Migrations: numbered files in the folder `migrations` beside their owner, applied once, in order.

An owner is a schema and the package that ships its files. Where the database has a role
`foldline_<schema>`, the migrations run as that role, so it owns what they create. What was applied is
remembered with a checksum in `<schema>.migrations`: a file that changed after it was applied is an error.
There is no way back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import asyncpg

from foldline.pg.connect import CONNECT_SECONDS, Connection, Pool, session_settings

Owner = tuple[str, str]
"""Schema and package."""

_LOCK = 0x466F6C646C696E65  # "Foldline"; one migrator at a time in a database
_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_SCHEMA = re.compile(r"^[a-z][a-z0-9_]*$")


class Migration(NamedTuple):
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class MigrationError(Exception):
    """The database and the shipped migrations do not fit; the message says how."""


async def apply(dsn: str, owners: Sequence[Owner]) -> list[str]:
    """Apply what is missing, owner by owner; return the names of the files applied.

    The login of `dsn` must be allowed to create schemas and roles.
    """
    connection = await asyncpg.connect(
        dsn, timeout=CONNECT_SECONDS, server_settings=session_settings("foldline-migrate")
    )
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        return [file for owner in owners for file in await _apply_owner(connection, owner)]
    finally:
        await connection.close()


async def require(pool: Pool, owner: Owner | str) -> None:
    """Raise MigrationError unless every shipped migration of `owner` is applied, unchanged.

    A bare schema means the owner of that name in an installation: see `owner_of`.

    Newer ones than this code knows are accepted: migrations only go forward in such a way that the code
    of the release before them goes on working.
    """
    schema, package = owner_of(owner) if isinstance(owner, str) else owner
    async with pool.acquire() as connection:
        applied = await _applied(connection, schema)
    missing = [migration.name for migration in _pending((schema, package), applied)]
    if missing:
        raise MigrationError(f"schema {schema} lacks {', '.join(missing)}: run `foldline migrate`")


def owner_of(schema: str) -> Owner:
    """The ledger belongs to the event store, every other schema to the service of its name."""
    return schema, "foldline.eventstore" if schema == "ledger" else f"foldline_{schema}"


def shipped(package: str) -> list[Migration]:
    """The package's migrations in order."""
    folder = resources.files(package) / "migrations"
    found = []
    for file in folder.iterdir() if folder.is_dir() else ():
        match = _FILE.match(file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, file.read_text(encoding="utf-8")))
        elif file.name.endswith(".sql"):
            raise MigrationError(f"{package}: {file.name} is not named NNNN_words.sql")
    found.sort()
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"{package}: the migrations are not numbered 0001, 0002, … without gap")
    return found


async def _apply_owner(connection: Connection, owner: Owner) -> list[str]:
    schema, _ = owner
    if not _SCHEMA.match(schema):
        raise MigrationError(f"{schema!r} is not a schema name")
    pending = _pending(owner, await _applied(connection, schema))
    for migration in pending:
        try:
            async with connection.transaction():
                await _prepare_schema(connection, schema)
                await connection.execute(migration.text)
                await connection.execute(
                    f"insert into {schema}.migrations (number, name, checksum) values ($1, $2, $3)",  # noqa: S608 - checked above
                    migration.number,
                    migration.name,
                    migration.checksum,
                )
        except asyncpg.PostgresError as error:
            raise MigrationError(f"{schema}: {migration.name} failed: {error}") from error
    return [f"{schema}/{migration.name}" for migration in pending]


async def _prepare_schema(connection: Connection, schema: str) -> None:
    """Create schema and list of migrations where missing, and act as the schema's role until the commit."""
    role = f"foldline_{schema}"
    await connection.execute(f"create schema if not exists {schema}")
    if await connection.fetchval("select exists (select from pg_roles where rolname = $1)", role):
        await connection.execute(f"grant usage, create on schema {schema} to {role}")
        await connection.execute(f"set local role {role}")
    await connection.execute(
        f"""
        create table if not exists {schema}.migrations (
            number integer primary key,
            name text not null,
            checksum text not null,
            applied_at timestamptz not null default now()
        )
        """
    )


async def _applied(
    connection: Connection,
    schema: str,
) -> dict[int, str]:
    """Number to checksum; empty where the schema does not exist yet."""
    if await connection.fetchval("select to_regclass($1)", f"{schema}.migrations") is None:
        return {}
    rows = await connection.fetch(f"select number, checksum from {schema}.migrations")  # noqa: S608 - a name of ours
    return {row["number"]: row["checksum"] for row in rows}


def _pending(owner: Owner, applied: dict[int, str]) -> list[Migration]:
    schema, package = owner
    migrations = shipped(package)
    for migration in migrations:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise MigrationError(f"{schema}: {migration.name} was changed after it had been applied")
    return [migration for migration in migrations if migration.number not in applied]
