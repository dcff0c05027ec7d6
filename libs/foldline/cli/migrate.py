"""`foldline migrate`: bring a Postgres to what this release needs."""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import click
import msgspec

from foldline.cli.stack import programs
from foldline.pg import migrate as migrations


@click.command()
@click.option("--postgres", required=True, envvar="FOLDLINE_POSTGRES", metavar="URL", help="The database.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def migrate(postgres: str, *, is_json: bool) -> None:
    """Apply every migration that the database lacks: the ledger's, then each service's.

    Forward only, under a lock, so that it may be run by several machines at once. The login must be
    allowed to create schemas and roles.
    """
    try:
        applied = asyncio.run(migrations.apply(postgres, programs.owners()))
    except (migrations.MigrationError, asyncpg.PostgresError, OSError) as error:
        click.echo(f"the migrations were not applied: {error}", err=True)
        sys.exit(1)
    if is_json:
        click.echo(msgspec.json.encode({"applied": applied}).decode())
        return
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(f"{len(applied)} applied" if applied else "nothing to do")
