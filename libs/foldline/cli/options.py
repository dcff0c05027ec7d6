"""Options that many commands share, and what they turn into."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from foldline.cli.output import Output

if TYPE_CHECKING:
    from foldline.sdk.client import Client
    from foldline.sdk.context import Connection

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

setting = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of a parameter; JSON unless it is text.",
)
values_file = click.option("--file", "values", type=FILE, help="JSON object with values of parameters.")


class Session:
    """A command's connection to an installation, and where its answer goes."""

    def __init__(self, connection: Connection, out: Output) -> None:
        self.connection = connection
        self.out = out

    def ask(self, action: Callable[[Client], Awaitable[T]]) -> T:
        """Run `action` with an open client to its end."""
        from foldline.sdk.client import Client

        async def main() -> T:
            async with Client.of(self.connection) as client:
                return await action(client)

        return asyncio.run(main())


def output(command: F) -> F:
    """Adds --json; the command's first argument is the Output."""

    @click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
    @functools.wraps(command)
    def wrapper(*args: Any, as_json: bool, **kwargs: Any) -> Any:
        return command(Output(json=as_json), *args, **kwargs)

    return wrapper  # type: ignore[return-value]  # click calls it by keywords alone


def remote(command: F) -> F:
    """Adds --json and what names an installation; the command's first argument is the Session."""

    @click.option("--server", default="", metavar="HOST:PORT", help="Front door of the installation.")
    @click.option("--token", default="", help="Bearer token; better set FOLDLINE_TOKEN.")
    @click.option("-w", "--workspace", default="", metavar="NAME", help="Workspace to act in.")
    @click.option("--home", type=FOLDER, help="Folder of the installation that `foldline up` made.")
    @click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
    @functools.wraps(command)
    def wrapper(
        *args: Any,
        server: str,
        token: str,
        workspace: str,
        home: Path | None,
        as_json: bool,
        **kwargs: Any,
    ) -> Any:
        from foldline.sdk import context

        connection = context.find(server, token, workspace, home)
        return command(Session(connection, Output(json=as_json)), *args, **kwargs)

    return wrapper  # type: ignore[return-value]  # as above
