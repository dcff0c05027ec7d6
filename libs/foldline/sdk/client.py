"""The client of an installation.

    async with Client("127.0.0.1:7070", token, workspace="default") as client:
        run_id = await client.runs.start("digits", {"accept_at": 0.9})
        async for update in client.runs.watch(run_id):
            print(update.run.status)

Answers are the messages of the API. Whatever a service refuses is raised as the FoldlineError it raised.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType

from foldline.chassis import channels
from foldline.sdk.access import Workspaces
from foldline.sdk.answers import Waits
from foldline.sdk.catalog import Gallery, Workflows
from foldline.sdk.context import DEFAULT_WORKSPACE, Connection
from foldline.sdk.executors import Executors
from foldline.sdk.operations import Operations
from foldline.sdk.runs import Records, Runs
from foldline.sdk.starters import Schedules, Triggers


class Client:
    """A connection to an installation's front door, in one workspace; open inside `async with`."""

    workflows: Workflows
    gallery: Gallery
    runs: Runs
    operations: Operations
    waits: Waits
    records: Records
    schedules: Schedules
    triggers: Triggers
    executors: Executors
    workspaces: Workspaces

    def __init__(self, address: str, token: str, *, workspace: str = DEFAULT_WORKSPACE) -> None:
        self.address = address
        self.workspace = workspace
        self._token = token
        self._open = AsyncExitStack()

    @classmethod
    def of(cls, connection: Connection) -> Client:
        return cls(connection.server, connection.token.value, workspace=connection.workspace)

    async def __aenter__(self) -> Client:
        channel = await self._open.enter_async_context(channels.channel(self.address, self._token))
        self.workflows = Workflows(channel, self.workspace)
        self.gallery = Gallery(channel, self.workspace)
        self.runs = Runs(channel, self.workspace)
        self.operations = Operations(channel, self.workspace)
        self.waits = Waits(channel, self.workspace)
        self.records = Records(channel, self.workspace)
        self.schedules = Schedules(channel, self.workspace)
        self.triggers = Triggers(channel, self.workspace)
        self.executors = Executors(channel)
        self.workspaces = Workspaces(channel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()
