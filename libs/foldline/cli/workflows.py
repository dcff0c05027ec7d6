"""`release`, `workflows` and `configure`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from foldline.cli import options

if TYPE_CHECKING:
    from foldline.api.registry.v1 import workflow_service_pb2 as pb
    from foldline.domain.spec import Graph, Json, Parameter
    from foldline.sdk.client import Client


@click.command()
@click.argument("file", type=options.FILE)
@click.option("--workflow", "name", default="", help="Which workflow, where the file has several.")
@click.option("--region", default="", help="Region of a new workflow (default: local).")
@click.option(
    "--python", default="", metavar="N.M", help="Python of its steps (default: the one of foldline)."
)
@options.remote
def release(session: options.Session, file: Path, name: str, region: str, python: str) -> None:
    """Make an immutable release of a workflow in FILE and the workflow's current one.

    Takes the Python files and small data beside FILE and locks the requirements. The same content gives the
    same release again.
    """
    from foldline.sdk import graphs, source
    from foldline.sdk import release as releases
    from foldline.wire import messages

    pins = graphs.pins(source.workflow(file, name))
    others = session.ask(lambda client: releases.find(client.workflows, pins)) if pins else None
    draft = releases.draft(file, name, others, python=python)
    response = session.ask(
        lambda client: client.workflows.release(
            draft.graph, bundle=draft.bundle, environment=draft.environment, docs=draft.docs, region=region
        )
    )
    made = response.release
    if session.out.json:
        session.out.document({**messages.to_dict(response), "workflow": draft.graph.name})
        return
    what = "released" if response.created else "unchanged"
    session.out.say(f"{draft.graph.name} {what}: release {made.number}, {made.digest}")


@click.command()
@options.remote
def workflows(session: options.Session) -> None:
    """List the workflows of the workspace."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.workflows.list())
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in found])
        return
    session.out.table(
        ("name", "release", "region", "ready", "title"),
        [
            (
                one.name,
                str(one.release_number),
                one.region,
                f"needs {', '.join(one.missing)}" if one.missing else "yes",
                one.title,
            )
            for one in found
        ],
    )


@click.command()
@click.argument("workflow")
@options.setting
@options.values_file
@click.option("--unset", "unset", multiple=True, metavar="NAME", help="Forget a saved value.")
@click.option("--replace", is_flag=True, help="Forget all saved values first.")
@options.remote
def configure(
    session: options.Session,
    workflow: str,
    settings: tuple[str, ...],
    values: Path | None,
    unset: tuple[str, ...],
    replace: bool,
) -> None:
    """Save parameter values of WORKFLOW; without any, show what is set."""
    from foldline.sdk import values as typed
    from foldline.wire import messages

    async def action(client: Client) -> tuple[pb.Workflow, tuple[Parameter, ...]]:
        parameters = (await graph_of(client, workflow)).parameters
        given: dict[str, Json] = {**typed.merged(settings, values, parameters), **dict.fromkeys(unset)}
        if given or replace:
            return await client.workflows.configure(workflow, given, replace=replace), parameters
        return await client.workflows.get(workflow), parameters

    found, parameters = session.ask(action)
    if session.out.json:
        session.out.document(messages.to_dict(found))
        return
    saved = messages.from_struct(found.values)
    rows = [
        (one.name, one.type, _shown(one, saved), _origin(one, saved), _bounds(one), one.title)
        for one in parameters
    ]
    session.out.table(("parameter", "type", "value", "from", "allowed", "title"), rows)
    if found.missing:
        session.out.say(f"not ready to start: {', '.join(found.missing)} must be set")


async def graph_of(client: Client, workflow: str) -> Graph:
    """The graph of the workflow's current release."""
    from foldline.domain.spec import Graph
    from foldline.wire import messages

    release = await client.workflows.get_release(workflow)
    return messages.from_message(release.graph, Graph)


def _shown(parameter: Parameter, saved: dict[str, Json]) -> str:
    value = saved.get(parameter.name, parameter.default)
    return "" if value is msgspec.UNSET else msgspec.json.encode(value).decode()


def _origin(parameter: Parameter, saved: dict[str, Json]) -> str:
    if parameter.name in saved:
        return "saved"
    return "not set" if parameter.is_required else "default"


def _bounds(parameter: Parameter) -> str:
    if parameter.choices:
        return " | ".join(msgspec.json.encode(choice).decode() for choice in parameter.choices)
    low = "" if parameter.minimum is msgspec.UNSET else f"{parameter.minimum:g}"
    high = "" if parameter.maximum is msgspec.UNSET else f"{parameter.maximum:g}"
    return f"{low}…{high}" if low or high else ""
