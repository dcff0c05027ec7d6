"""A backend in another place: in a container, on a node of a cluster. Its side of what is said about a job.

There a `Desk` carries out jobs with a backend (a launcher) and tells of them in messages, which are JSON:

    {"started": true}
    {"lines": [[stream, text, ...], ...]}      fields of Line, in order
    {"ended": {...}}                           an Outcome; the last one

Here `hear` makes of the messages what `Backend.run` promises. Messages are only taken when the listener is
ready for more, so a step whose log nobody reads has to wait wherever it runs.

`python -P -c "…; from foldline.runtime import remote; remote.main()" FOLDER` is a desk for one job: the job
comes on stdin as the first line (pickled by us, so it must be us who write there), after it {"stop": ...};
messages go to stdout. When stdin ends, so does the job.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import pickle
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from foldline.runtime.jobs import Job, Line, Outcome, Product, StepFailure
from foldline.runtime.port import Backend, OnLines, OnStarted

Message = dict[str, Any]

BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from foldline.runtime import remote; remote.main()"

_WAITING_BATCHES = 4
_AT_ONCE_BYTES = 256 * 1024
_AT_ONCE_LINES = 8192
_LONGEST_COMMAND = 1 << 30
"""Values of inputs travel inside the job."""

LOST = StepFailure(
    kind="infrastructure", reason="STEP_PROCESS_LOST", message="the place in which the step ran is gone"
)


async def hear(
    messages: AsyncIterator[Message], job: Job, on_lines: OnLines, on_started: OnStarted | None
) -> Outcome:
    """Until the last message; LOST where they end without one."""
    async for message in messages:
        match message:
            case {"lines": list(lines)}:
                await on_lines([Line(*fields) for fields in lines])
            case {"started": True}:
                if on_started is not None:
                    on_started()
            case {"ended": dict(fields)}:
                try:
                    return outcome_of(fields, job.folder)
                except Outside as error:
                    failure = StepFailure(kind="user", reason="OUTPUT_OUTSIDE", message=str(error))
                    return Outcome(failure=failure)
    return Outcome(failure=LOST)


class Outside(Exception):
    """A message names a file that is not the job's."""


class Desk:
    """The jobs of one place. What is told of a job waits here until it is asked for."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._told: dict[str, asyncio.Queue[Message]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, job: Job) -> None:
        """Have it carried out; `messages` tell how it fares."""
        self._told[job.key] = asyncio.Queue(_WAITING_BATCHES)
        self._tasks[job.key] = asyncio.create_task(self._carry_out(job), name=f"job {job.key}")

    async def messages(self, key: str) -> list[Message]:
        """The next ones, as soon as there are any; after the last one it is forgotten."""
        told = self._told[key]
        found = [await told.get()]
        room = _AT_ONCE_BYTES - _size(found[0])
        while room > 0 and not told.empty():
            found.append(told.get_nowait())
            room -= _size(found[-1])
        if "ended" in found[-1]:
            del self._told[key], self._tasks[key]
        return found

    def stop(self, key: str, grace_seconds: float | None, forced: bool) -> bool:
        return self._backend.stop(key, grace_seconds, forced=forced)

    async def kill(self, key: str) -> None:
        """End it and forget it; nothing of it is left when this returns."""
        self._told.pop(key, None)
        if (task := self._tasks.pop(key, None)) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _carry_out(self, job: Job) -> None:
        told = self._told[job.key]

        async def on_lines(lines: Sequence[Line]) -> None:
            for start in range(0, len(lines), _AT_ONCE_LINES):
                some = lines[start : start + _AT_ONCE_LINES]
                await told.put({"lines": [dataclasses.astuple(line) for line in some]})

        def on_started() -> None:
            # It may not wait; and there is room, since it comes before the first line of the step.
            with contextlib.suppress(asyncio.QueueFull):
                told.put_nowait({"started": True})

        try:
            outcome = await self._backend.run(job, on_lines, on_started)
        except OSError as error:
            failure = StepFailure(kind="infrastructure", reason="DISK_FAILED", message=str(error))
            outcome = Outcome(failure=failure)
        await told.put({"ended": fields_of(outcome)})


def fields_of(outcome: Outcome) -> dict[str, Any]:
    """As JSON."""
    fields = dataclasses.asdict(outcome)
    for product in fields["outputs"].values():
        product["file"] = None if product["file"] is None else str(product["file"])
    return fields


def outcome_of(fields: dict[str, Any], folder: Path) -> Outcome:
    """Its files are the job's own: whoever can write messages must not make us read anything else."""
    failure = fields["failure"]
    outputs = {
        name: Product(**{**one, "file": _own(one["file"], folder)}) for name, one in fields["outputs"].items()
    }
    return Outcome(
        **{
            **fields,
            "outputs": outputs,
            "failure": None if failure is None else StepFailure(**failure),
            "reads": tuple(fields["reads"]),
            "left": tuple(fields["left"]),
        }
    )


def _own(file: str | None, folder: Path) -> Path | None:
    if file is None:
        return None
    if not Path(file).resolve().is_relative_to(folder.resolve()):
        raise Outside(f"an output of the step is named {file}, which is not in its folder")
    return Path(file)


def _size(message: Message) -> int:
    return sum(len(line[1]) + 32 for line in message.get("lines", ()))


# -- a desk for one job --------------------------------------------------------------------------


def order_of(job: Job, environ: Mapping[str, str]) -> bytes:
    """The first line for `main`."""
    return base64.b64encode(pickle.dumps((job, dict(environ)))) + b"\n"


def main() -> NoReturn:
    code = asyncio.run(_serve(Path(sys.argv[1])))
    os._exit(code)


async def _serve(folder: Path) -> int:
    from foldline.runtime.launcher import Launcher

    commands = await _commands()
    job, environ = pickle.loads(base64.b64decode(await commands.readline()))  # noqa: S301 - our own words
    async with Launcher(folder, environ=environ) as launcher:
        desk = Desk(launcher)
        desk.begin(job)
        telling = asyncio.create_task(_tell(desk, job.key))
        listening = asyncio.create_task(_listen(desk, job.key, commands))
        _end_on_signal(listening)
        await asyncio.wait({telling, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if not telling.done():
            telling.cancel()
            await desk.kill(job.key)
            return 1
        telling.result()
    return 0


async def _commands() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=_LONGEST_COMMAND)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _listen(desk: Desk, key: str, commands: asyncio.StreamReader) -> None:
    """Returns when nobody is there any more who could say anything."""
    while line := await commands.readline():
        match json.loads(line):
            case {"stop": {"grace_seconds": grace, "forced": forced}}:
                desk.stop(key, grace, forced)


async def _tell(desk: Desk, key: str) -> None:
    is_over = False
    while not is_over:
        messages = await desk.messages(key)
        is_over = "ended" in messages[-1]
        text = "".join(json.dumps(message) + "\n" for message in messages)
        # To write waits while nobody reads, which is the point; so not in the loop's own thread.
        await asyncio.to_thread(_write, text.encode())


def _write(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


def _end_on_signal(task: asyncio.Task[None]) -> None:
    """As the first process of a container it would not hear any signal without a handler."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
