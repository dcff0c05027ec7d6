"""A run that was just started, and a run that is followed until it ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from foldline.cli import failures, options, views
from foldline.cli.ids import graph_of_run
from foldline.cli.output import complain
from foldline.cli.progress import Progress, finish

if TYPE_CHECKING:
    from foldline.domain.spec import Graph
    from foldline.sdk.client import Client


def started(session: options.Session, run_id: str, *, watching: bool) -> int:
    """Say which run was started, or follow it."""
    if watching:
        return follow(session, run_id)
    if session.out.json:
        session.out.document({"run_id": run_id})
    elif session.out.is_terminal:
        session.out.say(f"run {run_id} started; follow it with `foldline watch {run_id}`")
    else:
        session.out.say(run_id)
    return failures.OK


def follow(session: options.Session, run: str) -> int:
    """Show the run until it ends; the exit code says how it did."""
    try:
        view = session.ask(lambda client: _watch(client, run, session))
    except KeyboardInterrupt:
        complain([f"left; the run goes on: `foldline watch {run}`, `foldline stop {run}`"])
        return failures.INTERRUPTED
    if not session.out.json:
        finish(session.out, view)
    return failures.BY_STATUS.get(view.status, failures.INTERNAL)


def _always(view: views.RunView) -> Callable[[], views.RunView]:
    return lambda: view


async def _watch(client: Client, run: str, session: options.Session) -> views.RunView:
    from foldline.wire import messages

    view: views.RunView | None = None
    graph: Graph | None = None
    with Progress(session.out, advises=True) as progress:
        async with aclosing(client.runs.watch(run)) as updates:
            async for update in updates:
                view = views.of_messages(update.run, update.steps, view)
                if graph is None and any(step.status == "awaiting" for step in view.steps.values()):
                    graph = await graph_of_run(client, run)
                if graph is not None:
                    view = views.with_questions(view, graph)
                progress.show(_always(view))
                if session.out.json:
                    session.out.line(messages.to_dict(update))
                    continue
                for event in update.events:
                    recorded = messages.to_dict(event)
                    progress.event(event.type, recorded["data"], recorded["time"])
                progress.advise(view)
    assert view is not None, "a watch gives the whole state first"
    return view
