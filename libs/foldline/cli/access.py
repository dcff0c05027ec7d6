"""`workspace`, `token` and `parked`: what admins do."""

from __future__ import annotations

import click

from foldline.cli import options, spans, views

_ROLES = click.Choice(("viewer", "operator", "developer", "publisher", "admin"))


@click.group()
def workspace() -> None:
    """Create and list workspaces."""


@workspace.command()
@click.argument("name")
@click.option("--title", default="")
@options.remote
def create(session: options.Session, name: str, title: str) -> None:
    """Create the workspace NAME. Needs admin of the installation."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.workspaces.create(name, title))
    if session.out.json:
        session.out.document(messages.to_dict(found))
    else:
        session.out.say(f"workspace {found.name} created")


@workspace.command(name="list")
@options.remote
def list_(session: options.Session) -> None:
    """List the workspaces that the token may see."""
    from foldline.wire import messages

    found = session.ask(lambda client: client.workspaces.list())
    if session.out.json:
        session.out.document([messages.to_dict(one) for one in found])
    else:
        session.out.table(("workspace", "title"), [(one.name, one.title) for one in found])


@click.group()
def token() -> None:
    """Create tokens."""


@token.command(name="create")
@click.option("--role", type=_ROLES, required=True)
@click.option("--for", "subject", required=True, metavar="WHO", help="Recorded as the actor of what it does.")
@click.option("--expires", default="", metavar="TIME", help="Such as 12h or 30d (default: 30d).")
@options.remote
def create_token(session: options.Session, role: str, subject: str, expires: str) -> None:
    """Make a bearer token with a role in the workspace. It is shown once and stored nowhere."""
    ttl = spans.seconds(expires)
    where = session.connection.workspace
    made = session.ask(
        lambda client: client.workspaces.issue_token(where, role=role, subject=subject, ttl_seconds=ttl)
    )
    if session.out.json:
        session.out.document({"token": made, "workspace": where, "role": role, "subject": subject})
    else:
        session.out.say(made)


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@options.remote
def parked(session: options.Session, limit: int) -> None:
    """List messages that no consumer could handle, newest first. Needs admin of the installation."""
    from foldline.wire import messages

    found = [messages.to_dict(one) for one in session.ask(lambda client: client.records.parked(limit))]
    if session.out.json:
        session.out.document(found)
        return
    session.out.table(
        ("time", "subject", "reason", "bytes"),
        [(views.moment(one["time"]), one["subject"], one["reason"], str(len(one["body"]))) for one in found],
    )
