"""`gallery`: publish, find, subscribe to and import workflows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from foldline.cli import options
from foldline.domain.errors import FoldlineError, Kind

if TYPE_CHECKING:
    from foldline.domain.registry_events import Agreement

_VISIBILITIES = click.Choice(("public", "group", "private"))


@click.group()
def gallery() -> None:
    """Publish, find, subscribe to and import workflows. PUBLISHER/ASSET names an asset."""


@gallery.command()
@click.argument("workflow")
@click.option("--asset", default="", help="Name of the asset (default: the workflow's).")
@click.option("--version", default="", help="x.y.z (default: 1.0.0, then the next patch version).")
@click.option("--title", default="")
@click.option("--notes", default="", help="What changed, for people.")
@click.option("--visibility", type=_VISIBILITIES, default=None, help="Who may see it (new assets: private).")
@click.option("--to", "workspaces", multiple=True, metavar="WORKSPACE", help="Member of a group; repeat it.")
@click.option(
    "--agreement",
    "agreements",
    multiple=True,
    metavar="NAME=FILE",
    help="Text that subscribers must accept; repeat it.",
)
@options.remote
def publish(
    session: options.Session,
    workflow: str,
    asset: str,
    version: str,
    title: str,
    notes: str,
    visibility: str | None,
    workspaces: tuple[str, ...],
    agreements: tuple[str, ...],
) -> None:
    """Publish the current release of WORKFLOW as a version of an asset."""
    from foldline.wire import messages

    found = session.ask(
        lambda client: client.gallery.publish(
            workflow,
            asset=asset,
            version=version,
            title=title,
            notes=notes,
            visibility=visibility or "",
            workspaces=workspaces,
            agreements=[_agreement(text) for text in agreements],
        )
    )
    if session.out.json:
        session.out.document(messages.to_dict(found))
        return
    newest = found.versions[0].version if found.versions else "without a version"
    session.out.say(f"{found.publisher}/{found.name} {newest} published, {found.visibility}")


@gallery.command()
@click.argument("asset")
@click.argument("visibility", type=_VISIBILITIES)
@click.option("--to", "workspaces", multiple=True, metavar="WORKSPACE", help="Member of a group; repeat it.")
@options.remote
def visibility(session: options.Session, asset: str, visibility: str, workspaces: tuple[str, ...]) -> None:
    """Change who may see and subscribe to ASSET of this workspace."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.gallery.set_visibility(asset, visibility, workspaces))
    if session.out.json:
        session.out.document(messages.to_dict(found))
    else:
        session.out.say(f"{found.publisher}/{found.name} is {found.visibility}")


@gallery.command(name="list")
@click.argument("words", nargs=-1)
@options.remote
def list_(session: options.Session, words: tuple[str, ...]) -> None:
    """List what this workspace may see and all WORDS fit."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.gallery.list(" ".join(words)))
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in found])
        return
    session.out.table(
        ("asset", "newest", "visibility", "subscribed", "title"),
        [
            (
                f"{one.publisher}/{one.name}",
                one.versions[0].version if one.versions else "",
                one.visibility,
                "yes" if one.subscribed else "",
                one.title,
            )
            for one in found
        ],
    )


@gallery.command()
@click.argument("asset", metavar="PUBLISHER/ASSET")
@options.remote
def show(session: options.Session, asset: str) -> None:
    """Show versions, agreements, steps and parameters of an asset."""
    from foldline.wire import messages

    publisher, name, _ = _parse(asset)
    response = session.ask(lambda client: client.gallery.get(publisher, name))
    if session.out.json:
        session.out.document(messages.to_dict(response))
        return
    found, graph = response.asset, response.release.graph
    session.out.fields(
        {
            "asset": f"{found.publisher}/{found.name}",
            "title": found.title,
            "about": graph.description,
            "visibility": found.visibility,
            "subscribed": "yes" if found.subscribed else "no",
            "steps": ", ".join(step.name for step in graph.steps),
            "parameters": ", ".join(parameter.name for parameter in graph.parameters),
        }
    )
    session.out.say()
    session.out.table(
        ("version", "release", "notes"), [(one.version, one.release, one.notes) for one in found.versions]
    )
    for agreement in found.agreements:
        session.out.say(f"\nagreement {agreement.name}:\n{agreement.text.rstrip()}")


@gallery.command()
@click.argument("asset", metavar="PUBLISHER/ASSET")
@click.option("--accept", multiple=True, metavar="NAME", help="Agreement to accept; repeat it.")
@options.remote
def subscribe(session: options.Session, asset: str, accept: tuple[str, ...]) -> None:
    """Subscribe the workspace to an asset."""
    from foldline.wire import messages

    publisher, name, _ = _parse(asset)
    found = session.ask(lambda client: client.gallery.subscribe(publisher, name, accept))
    if session.out.json:
        session.out.document(messages.to_dict(found))
    else:
        session.out.say(f"{found.workspace} is subscribed to {found.publisher}/{found.asset}")


@gallery.command()
@click.argument("asset", metavar="PUBLISHER/ASSET")
@options.remote
def unsubscribe(session: options.Session, asset: str) -> None:
    """End a subscription; what was imported stays."""
    publisher, name, _ = _parse(asset)
    session.ask(lambda client: client.gallery.unsubscribe(publisher, name))
    if session.out.json:
        session.out.document({"publisher": publisher, "asset": name})
    else:
        session.out.say(f"{session.connection.workspace} is no longer subscribed to {publisher}/{name}")


@gallery.command(name="import")
@click.argument("asset", metavar="PUBLISHER/ASSET[@VERSION]")
@click.option(
    "--as", "workflow", default="", metavar="NAME", help="Name of the workflow (default: the asset's)."
)
@click.option("--region", default="", help="Where its runs execute (default: local).")
@options.remote
def import_(session: options.Session, asset: str, workflow: str, region: str) -> None:
    """Make an independent workflow of a version of a subscribed asset."""
    from foldline.wire import messages

    publisher, name, version = _parse(asset)
    found = session.ask(
        lambda client: client.gallery.import_asset(
            publisher, name, version=version, workflow=workflow, region=region
        )
    )
    if session.out.json:
        session.out.document(messages.to_dict(found))
        return
    source = found.source
    session.out.say(
        f"{found.name} imported from {source.publisher}/{source.asset} {source.version} "
        f"to {found.workspace}, region {found.region}"
    )
    if found.missing:
        session.out.say(f"not ready to start: {', '.join(found.missing)} must be set (`foldline configure`)")


def _parse(text: str) -> tuple[str, str, str]:
    """Publisher, asset and version of "publisher/asset@version"."""
    name, _, version = text.partition("@")
    publisher, slash, asset = name.partition("/")
    if not slash or not publisher or not asset:
        message = f"{text!r} does not name an asset; write PUBLISHER/ASSET"
        raise FoldlineError(Kind.INVALID, "ILLEGAL_ASSET", message)
    return publisher, asset, version


def _agreement(text: str) -> Agreement:
    from foldline.domain.registry_events import Agreement

    name, equals, file = text.partition("=")
    if not equals:
        message = f"{text!r} is not of the form NAME=FILE"
        raise FoldlineError(Kind.INVALID, "ILLEGAL_AGREEMENT", message)
    try:
        return Agreement(name=name, text=Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FoldlineError(Kind.INVALID, "AGREEMENT_UNREADABLE", f"{file}: {error}") from error
