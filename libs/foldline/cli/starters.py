"""What the commands of schedules and triggers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from foldline.cli import views

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from foldline.api.scheduler.v1 import schedule_service_pb2 as pb
    from foldline.cli.options import Session
    from foldline.domain.spec import Json
    from foldline.sdk.client import Client


async def values(
    client: Client, workflow: str, settings: tuple[str, ...], file: Path | None
) -> dict[str, Json]:
    """Values of `--set` and `--file`, by the types of the workflow's parameters."""
    from foldline.cli.workflows import graph_of
    from foldline.sdk import values as typed

    if not (settings or file):
        return {}
    return dict(typed.merged(settings, file, (await graph_of(client, workflow)).parameters))


def history(session: Session, entries: Sequence[pb.HistoryEntry]) -> None:
    """The history as a table, or all of it in JSON."""
    from foldline.wire import messages

    if session.out.json:
        session.out.document([messages.to_dict(one) for one in entries])
        return
    session.out.table(
        ("recorded", "what", "by"),
        [(views.moment(messages.to_time(one.time)), one.summary, one.actor) for one in entries],
    )


def say(session: Session, answer: Message | Mapping[str, str], text: str) -> None:
    """The answer in JSON, or a line for people."""
    from foldline.wire import messages

    if session.out.json:
        plain: Any = dict(answer) if isinstance(answer, Mapping) else messages.to_dict(answer)
        session.out.document(plain)
    else:
        session.out.say(text)


def shown(given: Mapping[str, Json]) -> str:
    """Values on one line."""
    return ", ".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in given.items())
