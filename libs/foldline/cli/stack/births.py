"""The supervisor's side of the nursery: has programs begun there and holds them as its own children.

Whatever fails here only costs time: the keeper then executes the program itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from foldline.cli.stack.keeper import Begin, Program
from foldline.cli.stack.leash import leash
from foldline.cli.stack.nursery import MOST_BYTES, Order
from foldline.runtime import kernel

NURSERY_SECONDS = 30.0  # it loads libraries before it answers


class Born:
    """A child that another process forked for us. Linux tells of its end by a descriptor of the process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    async def wait(self) -> int:
        """Its exit code once it has ended; the negative signal where one ended it. To be called once."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])  # noqa: ASYNC222 - it has ended


class Births:
    """Asks the nursery. Programs begin one after the other; each takes some milliseconds."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._lock = asyncio.Lock()

    async def begin(self, program: Program, output: int) -> Born | None:
        """The program's first process, or None where the nursery cannot."""
        if not program.module:
            return None
        order = Order(program.module, dict(program.env), os.getpid(), program.orphan_signal)
        packet = msgspec.json.encode(order)
        if len(packet) > MOST_BYTES:
            return None
        try:
            async with self._lock, asyncio.timeout(NURSERY_SECONDS):
                return await self._ask(packet, output)
        except OSError:  # also TimeoutError
            return None

    async def _ask(self, packet: bytes, output: int) -> Born | None:
        cord, theirs = socket.socketpair()
        with cord:
            cord.setblocking(False)
            with theirs:
                socket.send_fds(self._wire, [packet], [output, theirs.fileno()])
            loop = asyncio.get_running_loop()
            if not (said := await loop.sock_recv(cord, 16)):
                return None
            born = Born(int(said))
            await loop.sock_sendall(cord, b".")
            return born


@asynccontextmanager
async def nursery(env: Mapping[str, str]) -> AsyncIterator[Begin | None]:
    """How programs begin in a nursery that loads with this environment and ends with the block; None where
    its children could not be held.

    Its environment stays visible in /proc for what it bears, so nothing secret may be in it.
    """
    if not _can_hold():
        yield None
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "foldline.cli.stack.nursery"),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=env,
                cwd="/",
                start_new_session=True,
                preexec_fn=leash(signal.SIGKILL),
            )
        kernel.become_subreaper()
        try:
            yield Births(ours).begin
        finally:
            ours.close()
            await process.wait()
            kernel.become_subreaper(willing=False)


def _can_hold() -> bool:
    """Not every Python was built with descriptors of processes, nor does every kernel have them."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True
