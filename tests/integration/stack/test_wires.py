"""Connections that chaos can cut, and a disk that it can fill."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from foldline.cli.chaos import wires
from foldline.cli.chaos.faults import limit_files
from foldline.cli.chaos.wires import Wire
from foldline.cli.stack.ports import LOOPBACK


@asynccontextmanager
async def wired() -> AsyncIterator[Wire]:
    """A wire to a server that says again what it is told."""

    answering: set[asyncio.Future[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        with suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(line)
        await closed(writer)

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        async with (
            asyncio.TaskGroup() as tasks,
            wires.opened([("program", "server")], lambda _: port, tasks) as opened,
        ):
            yield opened["program", "server"]
        if answering:
            await asyncio.wait(answering)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def said(wire: Wire, text: bytes) -> bytes:
    """What comes back over a new connection."""
    reader, writer = await asyncio.open_connection(LOOPBACK, wire.port)
    try:
        writer.write(text)
        return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        await closed(writer)


async def test_a_wire_carries_what_is_said_over_it() -> None:
    async with wired() as wire:
        assert await said(wire, b"hello\n") == b"hello\n"


async def test_over_a_silent_wire_nothing_comes_before_it_is_mended() -> None:
    async with wired() as wire:
        reader, writer = await asyncio.open_connection(LOOPBACK, wire.port)
        writer.write(b"one\n")
        assert await reader.readline() == b"one\n"

        wire.cut(silent=True)
        writer.write(b"two\n")
        answer, later = asyncio.ensure_future(reader.readline()), asyncio.ensure_future(said(wire, b"new\n"))
        done, _ = await asyncio.wait({answer, later}, timeout=0.2)
        wire.mend()

        assert not done
        assert (await answer, await later) == (b"two\n", b"new\n")
        await closed(writer)


async def test_a_broken_wire_ends_its_connections_and_takes_no_new_ones() -> None:
    async with wired() as wire:
        reader, writer = await asyncio.open_connection(LOOPBACK, wire.port)
        writer.write(b"one\n")
        assert await reader.readline() == b"one\n"

        wire.cut(silent=False)

        with suppress(ConnectionError):
            assert await reader.read() == b""
        assert await said(wire, b"two\n") == b""
        wire.mend()
        assert await said(wire, b"three\n") == b"three\n"
        await closed(writer)


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of another process are Linux' own")
def test_a_process_and_what_it_starts_meet_a_full_disk_until_it_has_room_again(tmp_path: Path) -> None:
    script = tmp_path / "writes.py"
    script.write_text(
        "import pathlib, subprocess, sys\n"
        "write = 'import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(\"x\")'\n"
        "for line in sys.stdin:\n"
        "    done = subprocess.run([sys.executable, '-c', write, sys.argv[1]], capture_output=True)\n"
        "    print(done.returncode, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "file")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        codes = []
        for most in (0, resource.RLIM_INFINITY):
            limit_files(psutil.Process(process.pid), most)
            process.stdin.write("go\n")
            codes.append(process.stdout.readline().strip())
        process.stdin.close()

    assert codes == ["1", "0"]
