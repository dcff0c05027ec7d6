"""The programs of the stack: which there are, and the environment that each one gets.

Services are found through the entry points `foldline.services`, so that nothing here imports them and a new
one is one line in pyproject.toml.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping
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


class Backing(msgspec.Struct, frozen=True):
    """What the services stand on: embedded servers or existing ones."""

    postgres: str
    nats: str
    artifacts: str
    token_key: str
    slots: int = 0
    limits: str = ""
    flavors: str = ""


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


def port_names() -> list[str]:
    names = list(services())
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
            env={**_inherited(), **_prefixed(_settings(name, home, ports, backing))},
        )
        for name, package in services().items()
    ]


def _settings(name: str, home: Home, ports: Mapping[str, int], backing: Backing) -> dict[str, str]:
    shared = {
        "POSTGRES": backing.postgres,
        "NATS": backing.nats,
        "ARTIFACTS": backing.artifacts,
        "TOKEN_KEY": backing.token_key,
        "LISTEN": address(ports[name]),
        "ADMIN": address(ports[admin_port(name)]),
        "LOG_FORMAT": "json",
    }
    allowed = {key: value for key, value in shared.items() if key not in WITHHELD.get(name, set())}
    return allowed | _own_settings(name, home, ports, backing)


def _own_settings(name: str, home: Home, ports: Mapping[str, int], backing: Backing) -> dict[str, str]:
    match name:
        case "scheduler":
            return {
                "REGISTRY": address(ports["registry"]),
                "LIMITS": backing.limits,
                "FLAVORS": backing.flavors,
            }
        case "executor":
            return {
                "HOME": str(home.executor),
                "NAME": "local-1",
                "REGION": "local",
                "POOL": "default",
                "SLOTS": str(backing.slots),
            }
        case "gateway":
            behind = ("registry", "scheduler", "recorder", "executor")
            return {"HTTP": address(ports["http"])} | {one.upper(): address(ports[one]) for one in behind}
        case _:
            return {}


def _prefixed(values: Mapping[str, str]) -> dict[str, str]:
    return {f"FOLDLINE_{key}": value for key, value in values.items()}


def _inherited() -> dict[str, str]:
    """Our environment without what steers clients (FOLDLINE_HOME means something else to an executor)."""
    ours = os.environ  # noqa: TID251 - passed on, not read
    kept = {key: value for key, value in ours.items() if not key.startswith("FOLDLINE_")}
    programs = str(Path(sys.executable).parent)
    return kept | {
        "PATH": f"{programs}:{kept.get('PATH', '/usr/bin:/bin')}",
        "PYTHONUNBUFFERED": "1",
        # Children of a service execute another program at once; gRPC need not prepare for the fork.
        "GRPC_ENABLE_FORK_SUPPORT": "0",
    }
