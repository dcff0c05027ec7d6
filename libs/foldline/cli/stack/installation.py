"""One installation from start to end: servers, migrations, services, the first workspace; then waiting."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import msgspec
import psutil

from foldline.cli.stack import backups, births, credentials, lock, programs, readiness
from foldline.cli.stack.allotment import PortTaken, address, allot
from foldline.cli.stack.home import Home
from foldline.cli.stack.keeper import LONGEST_PAUSE_SECONDS, Condition, Program
from foldline.cli.stack.logfile import tail
from foldline.cli.stack.nats import EmbeddedNats, NatsError
from foldline.cli.stack.postgres import EmbeddedPostgres, PostgresError
from foldline.cli.stack.readiness import NotReady
from foldline.cli.stack.state import Board, State
from foldline.cli.stack.supervisor import Supervisor, supervise
from foldline.pg import migrate

SERVER_SECONDS = 60.0
SERVICE_SECONDS = 90.0
HOPELESS_RESTARTS = 4
LAST_WORDS = 12


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What `foldline up` was asked for. 0 and "" mean: decide yourself."""

    home: str
    postgres: str = ""
    nats: str = ""
    artifacts: str = ""
    http_port: int = 0
    grpc_port: int = 0
    postgres_port: int = 0
    nats_port: int = 0
    slots: int = 0
    limits: str = ""  # JSON of the settings FOLDLINE_LIMITS and FOLDLINE_FLAVORS
    flavors: str = ""
    archive: str = ""  # folder of back-ups; the embedded Postgres copies its log there
    replicas: str = ""  # e.g. "scheduler=2,executor=2"
    longest_pause: float = LONGEST_PAUSE_SECONDS  # before a program that ended starts again
    wires: dict[str, dict[str, int]] = {}  # by program: ports that stand for those of postgres and nats

    def place(self) -> Home:
        """The home, created where it is missing. Raises StartFailed where that is not possible."""
        home = Home(Path(self.home).absolute())
        try:
            home.create()
        except OSError as error:
            raise StartFailed(f"{home.folder} cannot be used: {error}") from error
        return home


class StartFailed(Exception):
    """The installation did not come up; the message says why."""


Listener = Callable[[State], None]
Note = Callable[[str], None]


async def run(options: Options, *, ready: Listener, note: Note) -> None:
    """Bring the installation up, call `ready`, and keep it up until SIGTERM or SIGINT.

    Raises AlreadyRunning and StartFailed. Everything that was started has ended when this returns.
    """
    home = options.place()
    with lock.held(home.lock) as me, _told_to_stop() as stop:
        board = Board(home, me)

        def changed(all_of_them: list[Condition], one: Condition) -> None:
            board.show(all_of_them)
            if one.phase == "restarting":
                note(f"{one.name} ended ({one.last_exit}); it starts again")

        async with supervise(home, changed) as supervisor:
            failure = await _unless(stop, _start(_Start(options, home, supervisor, board)))
            if failure is None:
                if not stop.is_set():
                    ready(board.state)
                await stop.wait()
                note("stopping")
            board.set(phase="stopping")
        if failure is not None:
            board.set(phase="failed", problem=str(failure))
            raise failure


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> StartFailed | None:
    """Do `work`, or drop it in the middle when told to stop. Returns why it could not be done."""
    working = asyncio.ensure_future(work)
    told = asyncio.ensure_future(stop.wait())
    await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
        return None
    try:
        await working
    except (
        *(NatsError, PostgresError, backups.BackupError, NotReady, PortTaken, programs.IllegalReplicas),
        *(migrate.MigrationError, asyncpg.PostgresError, OSError),
    ) as error:
        failure = StartFailed(str(error))
        failure.__cause__ = error
        return failure
    return None


class _Start(msgspec.Struct, frozen=True):
    """What the steps of a start work with."""

    options: Options
    home: Home
    supervisor: Supervisor
    board: Board


async def _start(start: _Start) -> None:
    ports = _allot(start.options, start.home)
    # It loads while the servers start.
    async with births.nursery(programs.nursery_environment()) as begin:
        backing = await _start_servers(start, ports)
        await migrate.apply(backing.postgres, programs.owners())
        services = programs.service_programs(start.home, ports, backing)
        services = [programs.rewired(one, ports, start.options.wires.get(one.name, {})) for one in services]
        start.supervisor.start(_patient(start.options, services), begin)
        for service in programs.services():
            for name in programs.members(service, backing.replicas):
                await _service_ready(start, name, ports[programs.admin_port(name)])
    server, console = address(ports["gateway"]), f"http://{address(ports['http'])}"
    client = credentials.write_client(start.home, server=server, console=console)
    await readiness.until_ready(
        f"workspace {credentials.WORKSPACE}",
        lambda: readiness.ensure_workspace(
            ports["http"], workspace=credentials.WORKSPACE, token=client.token
        ),
        SERVICE_SECONDS,
    )
    start.board.set(phase="ready", server=server, console=console)


def _allot(options: Options, home: Home) -> dict[str, int]:
    wished = {
        "http": options.http_port,
        "gateway": options.grpc_port,
        "postgres": options.postgres_port,
        "nats": options.nats_port,
    }
    names = programs.port_names(programs.parse_replicas(options.replicas))
    return allot(home.ports, ["postgres", "nats", *names], wished)


async def _start_servers(start: _Start, ports: dict[str, int]) -> programs.Backing:
    """Start the servers that nobody gave us, and wait until they answer."""
    options, home = start.options, start.home
    archive = backups.prepare(Path(options.archive)) if options.archive else None
    postgres = EmbeddedPostgres(home.postgres, port=ports["postgres"], archive=archive)
    nats = EmbeddedNats(home.nats, port=ports["nats"])
    stage = []
    if not options.nats:
        nats.prepare()
        stage.append(programs.nats_program(nats))
    if not options.postgres:
        await asyncio.to_thread(postgres.prepare)
        drop_stale_pid(home.postgres / "data")
        stage.append(programs.postgres_program(postgres))
    start.supervisor.start(_patient(options, stage))
    for program, server in (("nats", nats), ("postgres", postgres)):
        if any(one.name == program for one in stage):
            await _server_ready(start, program, server)
    return programs.Backing(
        postgres=options.postgres or postgres.dsn(),
        nats=options.nats or nats.url,
        artifacts=options.artifacts or str(home.artifacts),
        token_key=credentials.key(home),
        slots=options.slots,
        limits=options.limits,
        flavors=options.flavors,
        replicas=programs.parse_replicas(options.replicas),
    )


def _patient(options: Options, stage: Sequence[Program]) -> list[Program]:
    return [msgspec.structs.replace(one, longest_pause_seconds=options.longest_pause) for one in stage]


async def _server_ready(start: _Start, name: str, server: EmbeddedPostgres | EmbeddedNats) -> None:
    async def lacks() -> str:
        return "" if await server.is_ready() else _hopeful(start, name) or "it does not answer yet"

    await _with_last_words(start, name, readiness.until_ready(name, lacks, SERVER_SECONDS))


async def _service_ready(start: _Start, name: str, port: int) -> None:
    async def lacks() -> str:
        return (await readiness.lacks(port)) and (_hopeful(start, name) or await readiness.lacks(port))

    await _with_last_words(start, name, readiness.until_ready(name, lacks, SERVICE_SECONDS))


def _hopeful(start: _Start, name: str) -> str:
    """Give up early on a program that only ever ends."""
    condition = start.supervisor.condition(name)
    if condition.restarts >= HOPELESS_RESTARTS:
        raise NotReady(f"{name} ended {condition.restarts} times while starting ({condition.last_exit})")
    return ""


async def _with_last_words(start: _Start, name: str, waiting: Coroutine[None, None, None]) -> None:
    try:
        await waiting
    except NotReady as error:
        path = start.home.log(name)
        said = "\n".join(f"  | {line}" for line in tail(path, LAST_WORDS))
        raise NotReady(f"{error}\n{path} ends with:\n{said}") from error


def drop_stale_pid(data: Path) -> None:
    """Remove the pid file of a Postgres that was killed, once its pid belongs to another program.

    Postgres itself only looks whether the pid is alive and would refuse to start. No other Postgres can be
    starting in this folder: we hold the lock of the home.
    """
    file = data / "postmaster.pid"
    try:
        pid = int(file.read_text().split("\n", 1)[0])
        name = psutil.Process(pid).name()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return  # none there, or Postgres sees by itself that it is stale
    if name != "postgres":
        file.unlink(missing_ok=True)
