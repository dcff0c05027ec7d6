"""Every statement in a file fits the migrated database, and the role that runs it may run it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.servers import Running, owners

from foldline.cli.stack.postgres import EmbeddedPostgres
from foldline.pg import sql

#: The event store has no role of its own; services use it under theirs.
LEDGER_ROLES = ("foldline_registry", "foldline_scheduler", "foldline_recorder")

STATEMENTS = [
    (role, package, name)
    for schema, package in owners()
    for role in (
        [f"foldline_{schema}"] if schema != "ledger" else ["foldline_scheduler", "foldline_recorder"]
    )
    for name in sql.names(package)
]


@pytest.fixture
async def prepared(
    postgres_server: Running[EmbeddedPostgres],
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to the migrated template; nothing is changed, so no clone is needed."""
    connection = await asyncpg.connect(postgres_server.server.dsn())
    yield connection
    await connection.close()


@pytest.mark.parametrize(("role", "package", "name"), STATEMENTS)
async def test_a_statement_can_be_prepared_and_run_by_its_role(
    prepared: asyncpg.Connection[asyncpg.Record], role: str, package: str, name: str
) -> None:
    statement = sql.load(package, name)

    async with prepared.transaction():
        await prepared.execute(f"set local role {role}")
        # Rejects unknown tables and columns, and parameters whose type cannot be told.
        await prepared.prepare(statement)
        # Checks the privileges, too, and runs nothing.
        await prepared.execute(f"explain (generic_plan) {statement}")


@pytest.mark.parametrize("package", [package for _, package in owners()])
def test_a_statement_names_its_parameters_in_a_comment(package: str) -> None:
    for name in sql.names(package):
        lines = sql.load(package, name).splitlines()
        comments = " ".join(line for line in lines if line.startswith("--"))
        used = {word for line in lines if not line.startswith("--") for word in re.findall(r"\$\d+", line)}

        assert used <= set(re.findall(r"\$\d+", comments)), name
