"""`show`, `history`, `replay` and `artifact`: the record of a run."""

from __future__ import annotations

import hashlib
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from foldline.chassis.clock import SystemClock
from foldline.cli import advice, failures, notes, options, views, words
from foldline.cli.ids import whole_id
from foldline.cli.output import Output
from foldline.domain.errors import FoldlineError, Kind

if TYPE_CHECKING:
    from foldline.api.event.v1.recorded_pb2 import RecordedEvent
    from foldline.domain.artifacts import Artifact
    from foldline.sdk.client import Client


@click.command()
@click.argument("run")
@options.remote
def show(session: options.Session, run: str) -> None:
    """Show the record of RUN: parameters, steps with their times, outputs; where it waits, what to type."""
    from foldline.domain.spec import Graph
    from foldline.wire import messages

    response = session.ask(lambda client: client.runs.get(run))
    if session.out.json:
        session.out.document(messages.to_dict(response))
        return
    graph = messages.from_message(response.graph, Graph)
    view = views.with_questions(views.of_messages(response.run, response.steps), graph)
    _show(session.out, view)
    if found := advice.lines(view):
        session.out.say()
        for line in found:
            session.out.say(line)


@click.command()
@click.argument("run")
@click.option("--at", "version", type=click.IntRange(min=1), help="Version to show; without it the newest.")
@options.remote
def replay(session: options.Session, run: str, version: int | None) -> None:
    """Show RUN as it was right after an event, by the event's number in `foldline history`."""
    from foldline.wire import messages

    async def action(client: Client) -> Any:
        return await client.records.replay(await whole_id(client, run), version or 0)

    response = session.ask(action)
    if session.out.json:
        session.out.document(messages.to_dict(response))
        return
    event = messages.to_dict(response.event)
    session.out.say(f"as of {event['version']}: {_line(event)}")
    _show(session.out, views.of_messages(response.run, response.steps))


@click.command()
@click.argument("run")
@click.option("--follow", is_flag=True, help="Go on with new events until the run ends.")
@options.remote
def history(session: options.Session, run: str, follow: bool) -> int:
    """Show the events of RUN and verify their hash chain, here as well. Exit code 1 when it does not hold."""
    if follow:
        return session.ask(lambda client: _follow_history(client, run, session.out))
    events, problem = session.ask(lambda client: _read_history(client, run))
    if session.out.json:
        session.out.document({"events": events, "chain_ok": not problem, "chain_error": problem})
        return failures.RUN_FAILED if problem else failures.OK
    session.out.table(
        ("#", "time", "event", "step", "what"),
        [
            (
                str(event["version"]),
                views.clock_time(event["time"]),
                event["type"],
                event["data"].get("step", ""),
                words.describe(event["type"], event["data"]),
            )
            for event in events
        ],
    )
    if problem:
        session.out.say(f"the chain is broken: {problem}")
        return failures.RUN_FAILED
    session.out.say(f"{len(events)} events, versions without a gap, the hash chain holds")
    return failures.OK


@click.group()
def artifact() -> None:
    """What steps produced."""


@artifact.command()
@click.argument("run")
@click.argument("step")
@click.argument("output", default="output")
@click.option(
    "-o", "target", type=click.Path(path_type=Path), help="File to write; - is stdout; default: its own name."
)
@options.remote
def get(session: options.Session, run: str, step: str, output: str, target: Path | None) -> None:
    """Fetch OUTPUT of STEP of RUN and check it against its digest."""
    found, path = session.ask(lambda client: _download(client, run, step, output, target))
    if path is None:
        return
    if session.out.json:
        session.out.document({"file": str(path), **msgspec.to_builtins(found)})
    else:
        session.out.say(f"{path}: {found.type}, {found.encoding}, {views.amount(found.size_bytes)}")


@artifact.command("show")
@click.argument("run")
@click.argument("step")
@click.argument("output", default="output")
@options.remote
def show_artifact(session: options.Session, run: str, step: str, output: str) -> None:
    """Show what OUTPUT of STEP of RUN is, without fetching it: rows, measures, parameters, tree."""
    from foldline.cli import previews
    from foldline.wire import messages

    async def action(client: Client) -> Any:
        return await client.records.preview(await whole_id(client, run), step, output)

    found = messages.to_dict(session.ask(action))
    if session.out.json:
        session.out.document(found)
    else:
        previews.show(session.out, found["artifact"], found.get("preview") or {})


def _show(out: Output, view: views.RunView) -> None:
    out.fields(
        {
            "run": view.run_id,
            "workflow": view.workflow,
            "release": view.release,
            "status": view.status,
            "inside": _inside(view),
            "made from": f"run {view.origin.run_id} ({view.origin.kind})" if view.origin else "",
            "priority": str(view.priority or ""),
            "started": views.moment(view.create_time),
            "by": view.started_by,
            "took": views.duration(view.create_time, view.end_time),
            "parameters": ", ".join(
                f"{name}={views.json_text(value)}" for name, value in sorted(view.parameters.items())
            ),
        }
    )
    out.say()
    if out.is_terminal:
        from foldline.cli import render

        out.show(render.steps(view, SystemClock().now()))
    else:
        out.table(
            ("step", "status", "took", "attempts", "note"), [_row(step) for step in view.steps.values()]
        )
    _show_products(out, view)
    if view.failure is not None:
        out.say()
        out.say(f"failed: {view.failure.message} ({view.failure.reason})")
        out.say(view.failure.traceback.rstrip())


def _show_products(out: Output, view: views.RunView) -> None:
    """Outputs and metrics of steps."""
    produced = {
        f"{step.name}.{name}": views.artifact(found)
        for step in view.steps.values()
        for name, found in sorted(step.outputs.items())
    }
    measured = {
        f"{step.name}.{name}": f"{value:g}"
        for step in view.steps.values()
        for name, value in sorted(step.metrics.items())
    }
    for columns, rows in ((("output", "value"), produced), (("metric", "value"), measured)):
        if rows:
            out.say()
            out.table(columns, list(rows.items()))


def _inside(view: views.RunView) -> str:
    """Where a run that nobody started itself belongs."""
    parent = view.parent
    return f"step {parent.step} of run {parent.run_id}" if parent else ""


def _row(step: views.StepView) -> tuple[str, ...]:
    took = views.duration(step.start_time, step.end_time) if step.kind != "condition" else ""
    return step.name, step.status, took, str(step.attempts or ""), notes.note(step)


def _line(event: dict[str, Any]) -> str:
    step = event["data"].get("step", "")
    return f"{event['type']} {step + ': ' if step else ''}{words.describe(event['type'], event['data'])}"


async def _read_history(client: Client, run: str) -> tuple[list[dict[str, Any]], str]:
    """All events, and the first problem of their chain: found by the recorder, or here from the texts."""
    from foldline.cli import proof
    from foldline.wire import messages

    events: list[RecordedEvent] = []
    problem = ""
    async with aclosing(client.records.history(await whole_id(client, run))) as pages:
        async for page in pages:
            events.extend(page.events)
            if not page.chain_ok:
                problem = problem or page.chain_error or "the recorder does not say where"
    return [messages.to_dict(event) for event in events], problem or proof.problem(events)


async def _follow_history(client: Client, run: str, out: Output) -> int:
    from foldline.wire import messages

    async with aclosing(client.runs.watch(run)) as updates:
        async for update in updates:
            for event in map(messages.to_dict, update.events):
                if out.json:
                    out.line(event)
                else:
                    out.say(f"{event['version']:>5}  {views.clock_time(event['time'])}  {_line(event)}")
    return failures.OK


async def _download(
    client: Client, run: str, step: str, output: str, target: Path | None
) -> tuple[Artifact, Path | None]:
    """Write the artifact to a file beside the target first, so that nothing half-written takes its name."""
    from foldline.domain.artifacts import Artifact
    from foldline.wire import messages

    found, chunks = await client.records.artifact(await whole_id(client, run), step, output)
    known = messages.from_message(found, Artifact)
    if target is not None and str(target) == "-":
        await _write(chunks, sys.stdout.buffer, known)
        return known, None
    path = target or Path(Path(known.filename or f"{step}-{output}.{known.encoding}").name)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            await _write(chunks, file, known)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return known, path


async def _write(chunks: Any, file: BinaryIO, known: Artifact) -> None:
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
        file.write(chunk)
    if f"sha256:{digest.hexdigest()}" != known.digest:
        message = f"what was received is not {known.digest}; it is damaged"
        raise FoldlineError(Kind.INTERNAL, "DIGEST_MISMATCH", message)
