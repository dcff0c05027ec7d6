"""The programs of the stack: which there are, and the environment that each one gets.

Services are found through the entry points `foldline.services`, so that nothing here imports them and a new
one is one line in pyproject.toml.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec

from foldline.cli.stack.allotment import address
from foldline.cli.stack.home import Home
from foldline.cli.stack.keeper import Program
from foldline.cli.stack.nats import EmbeddedNats
from foldline.cli.stack.postgres import EmbeddedPostgres

GROUP = "foldline.services"
LEDGER = ("ledger", "foldline.eventstore")

#: What a service must not be given, though others get it: it has no business there.
WITHHELD = {
    "registry": {"NATS"},
    "executor": {"POSTGRES"},
    "gateway": {"POSTGRES", "NATS", "ARTIFACTS"},
}

_OF_EXECUTOR = ("PYTHONS", "KEEP_ENVIRONMENTS", "KEEP_BUNDLES", "KEEP_ARTIFACTS")
"""Settings that are taken from our own environment."""

_OF_ALL = ("CALLS",)
_OF_SCHEDULER = ("BACKLOG",)

STORE_KEYS = ("AWS_", "GOOGLE_", "AZURE_")
"""How the variables begin that object stores are configured by."""


class Backing(msgspec.Struct, frozen=True):
    """What the services stand on: embedded servers or existing ones."""

    postgres: str
    nats: str
    artifacts: str
    token_key: str
    slots: int = 0
    limits: str = ""
    flavors: str = ""
    replicas: Mapping[str, int] = {}


REPLICATED = ("scheduler", "executor", "recorder")
"""Services of which there may be several; the first has the service's own name, the next are name-2, …"""


class IllegalReplicas(ValueError):
    """What was asked for as replicas cannot be had; the message names the rule."""


def parse_replicas(text: str) -> dict[str, int]:
    """From "scheduler=2,executor=3". Raises IllegalReplicas."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = part.partition("=")
        if name not in REPLICATED:
            raise IllegalReplicas(f"there is one {name}; several of: {', '.join(REPLICATED)}")
        if not number.isdecimal() or not 1 <= int(number) <= 16:
            raise IllegalReplicas(f"{name}={number}: a number from 1 to 16 is needed")
        found[name] = int(number)
    return found


def members(service: str, replicas: Mapping[str, int]) -> list[str]:
    """The names of a service's programs."""
    return [service, *(f"{service}-{number}" for number in range(2, replicas.get(service, 1) + 1))]


def services() -> dict[str, str]:
    """Package by name of every service."""
    points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: point.module.partition(".")[0] for point in points}


def owners() -> list[tuple[str, str]]:
    """Schema and package of everything that has migrations, the ledger first."""
    found = services().items()
    return [LEDGER, *((name, package) for name, package in found if (files(package) / "migrations").is_dir())]


def admin_port(service: str) -> str:
    """The name of a service's operators' port among the allotted ones."""
    return f"{service}-admin"


def port_names(replicas: Mapping[str, int] = {}) -> list[str]:  # never changed
    names = [one for service in services() for one in members(service, replicas)]
    return ["http", *names, *map(admin_port, names)]


def postgres_program(server: EmbeddedPostgres) -> Program:
    argv = server.command()
    if argv[0] == "setpriv":
        # Changing the user would cut the leash.
        argv.insert(1, "--pdeathsig=keep")
    return Program(
        name="postgres",
        argv=tuple(argv),
        env=server.environment,
        stop_signal=server.stop_signal,
        orphan_signal=server.stop_signal,
        grace_seconds=30,
    )


def nats_program(server: EmbeddedNats) -> Program:
    return Program(
        name="nats", argv=tuple(server.command()), env=server.environment, stop_signal=server.stop_signal
    )


def service_programs(home: Home, ports: Mapping[str, int], backing: Backing) -> list[Program]:
    return [
        Program(
            name=name,
            argv=(sys.executable, "-P", "-m", package),
            module=package,
            env={**_inherited(service), **_prefixed(_settings(service, name, home, ports, backing))},
        )
        for service, package in services().items()
        for name in members(service, backing.replicas)
    ]


def nursery_environment() -> dict[str, str]:
    """What all services get and all processes may see."""
    return _inherited("gateway")


def rewired(program: Program, ports: Mapping[str, int], wires: Mapping[str, int]) -> Program:
    """The program with other ports for these servers: somebody listens there who can cut it off."""
    env = dict(program.env)
    for server, port in wires.items():
        if (key := f"FOLDLINE_{server.upper()}") in env:
            env[key] = env[key].replace(address(ports[server]), address(port))
    return msgspec.structs.replace(program, env=env)


def _settings(
    service: str, name: str, home: Home, ports: Mapping[str, int], backing: Backing
) -> dict[str, str]:
    shared = {
        "POSTGRES": backing.postgres,
        "NATS": backing.nats,
        "ARTIFACTS": backing.artifacts,
        "TOKEN_KEY": backing.token_key,
        "LISTEN": address(ports[name]),
        "ADMIN": address(ports[admin_port(name)]),
        "LOG_FORMAT": "json",
    }
    allowed = {key: value for key, value in shared.items() if key not in WITHHELD.get(service, set())}
    return allowed | _passed_on(_OF_ALL) | _own_settings(service, name, home, ports, backing)


def _own_settings(
    service: str, name: str, home: Home, ports: Mapping[str, int], backing: Backing
) -> dict[str, str]:
    match service:
        case "scheduler":
            return {
                "REGISTRY": address(ports["registry"]),
                "LIMITS": backing.limits,
                "FLAVORS": backing.flavors,
                **_passed_on(_OF_SCHEDULER),
            }
        case "executor":
            return {
                "HOME": str(home.folder / name),
                "NAME": f"local-{name.partition('-')[2] or 1}",
                "REGION": "local",
                "POOL": "default",
                "SLOTS": str(backing.slots),
                **_passed_on(_OF_EXECUTOR),
                # Who runs this has written the steps, too, or reads what the same people wrote.
                "ALLOW_PICKLE": "true",
            }
        case "gateway":
            behind = ("registry", "scheduler", "recorder", "executor")
            replicas = {one: members(one, backing.replicas) for one in behind}
            return {"HTTP": address(ports["http"])} | {
                one.upper(): ",".join(address(ports[member]) for member in some)
                for one, some in replicas.items()
            }
        case _:
            return {}


def _passed_on(names: Sequence[str]) -> dict[str, str]:
    ours = os.environ  # noqa: TID251 - passed on, not read
    return {name: ours[f"FOLDLINE_{name}"] for name in names if f"FOLDLINE_{name}" in ours}


def _prefixed(values: Mapping[str, str]) -> dict[str, str]:
    return {f"FOLDLINE_{key}": value for key, value in values.items()}


BACKENDS = ("FOLDLINE_BACKENDS", "FOLDLINE_CONTAINER_", "FOLDLINE_RAY_")
"""Settings of executors that `foldline up` hands on."""


def _inherited(service: str) -> dict[str, str]:
    """Our environment without what steers clients (FOLDLINE_HOME means something else to an executor), but
    with what only an operator can know of backends.

    The keys of an object store are for those alone who use it.
    """
    ours = os.environ  # noqa: TID251 - passed on, not read
    dropped = ("FOLDLINE_", *(STORE_KEYS if "ARTIFACTS" in WITHHELD.get(service, set()) else ()))
    kept = {
        key: value for key, value in ours.items() if not key.startswith(dropped) or key.startswith(BACKENDS)
    }
    programs = str(Path(sys.executable).parent)
    return kept | {
        "PATH": f"{programs}:{kept.get('PATH', '/usr/bin:/bin')}",
        "PYTHONUNBUFFERED": "1",
        # Children of a service execute another program at once; gRPC need not prepare for the fork.
        "GRPC_ENABLE_FORK_SUPPORT": "0",
    }
