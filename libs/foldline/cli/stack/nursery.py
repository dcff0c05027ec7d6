"""`python -m foldline.cli.stack.nursery`: a process from which the services of a stack begin as forks.

Loading libraries is most of a service's start (0.3 s of processor time) and most of its memory, and all
services load the same ones. Forks of one process that has loaded them share both. Standard input is a socket
of packets: a packet is an Order with two descriptors, the output of the program and a cord. The fork tells
its pid over the cord and begins when it is answered; a cord that ends means that nobody wants it. At the end
of its standard input the nursery ends; what it bore goes on.

What it bears are children of the process that started it, which has to be their subreaper: a fork between the
two ends at once. So the supervisor waits for them, signals them and is their leash as with programs that it
executes.

Nothing is opened before a fork: no thread, no event loop, no channel, so a fork copies nothing that lives.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import runpy
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

import msgspec

from foldline.cli.stack.leash import tie

#: What two services or more load, by the modules that bring the rest. Their own packages are not among them:
#: a process shows the metrics of every module that it has.
SHARED = (
    "foldline.access.interceptor",
    "foldline.artifacts.store",
    "foldline.bus.jetstream",
    "foldline.chassis.admin",
    "foldline.chassis.amounts",
    "foldline.chassis.lifecycle",
    "foldline.chassis.rpc",
    "foldline.domain.check_commands",
    "foldline.domain.decision",
    "foldline.domain.evolve",
    "foldline.domain.inner",
    "foldline.domain.names",
    "foldline.domain.parameters",
    "foldline.domain.revive",
    "foldline.eventstore.facts",
    "foldline.eventstore.postgres",
    "foldline.execution.series",
    "foldline.pg.migrate",
    "foldline.wire.cloudevents",
    "foldline.wire.events",
    "foldline.wire.failures",
    "foldline.wire.incoming",
    "foldline.wire.messages",
    "foldline.wire.work",
)
MOST_BYTES = 1 << 17
_START_OF_ARGUMENTS, _END_OF_ARGUMENTS = 45, 46  # of what follows the name in /proc/PID/stat, see proc(5)


class Order(msgspec.Struct, frozen=True):
    """A program to begin: a Python module that is run like `python -m`, with this environment alone."""

    module: str
    env: dict[str, str]
    parent: int  # who is to be its parent
    orphan_signal: int  # what it gets when the parent dies


def main() -> None:
    for name in SHARED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection would write to every object, and so copy every page
    wire = socket.socket(fileno=0)
    while True:
        packet, descriptors, _, _ = socket.recv_fds(wire, MOST_BYTES, 2)
        if not packet:
            return
        between = os.fork()
        if between == 0:
            between = os.getpid()
            if os.fork() == 0:
                _begin(msgspec.json.decode(packet, type=Order), between, *descriptors)
            os._exit(0)
        for one in descriptors:
            os.close(one)
        os.waitpid(between, 0)


def _begin(order: Order, between: int, output: int, cord: int) -> NoReturn:
    """Become the program."""
    while os.getppid() == between:
        time.sleep(0.0002)  # it is about to end, and nobody tells its children
    tie(order.orphan_signal, order.parent)
    with socket.socket(fileno=cord) as told:
        told.sendall(str(os.getpid()).encode())
        if not told.recv(1):
            os._exit(0)
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
    os.environ.clear()  # noqa: TID251 - it is the program's environment from here on
    os.environ.update(order.env)  # noqa: TID251
    _show_as(sys.executable, "-P", "-m", order.module)
    runpy.run_module(order.module, run_name="__main__", alter_sys=True)
    sys.exit()


def _show_as(*arguments: str) -> None:
    """What `ps` shows: the kernel reads a process' arguments from its own memory."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(fields[number]) for number in (_START_OF_ARGUMENTS, _END_OF_ARGUMENTS))
    room = end - start - 1
    if 0 < room < 1 << 16:
        ctypes.memmove(start, os.fsencode("\0".join(arguments))[:room].ljust(room, b"\0"), room)


if __name__ == "__main__":
    main()
