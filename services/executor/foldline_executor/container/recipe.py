"""From a job to the container that it runs in. Looks at files, changes nothing.

Never privileged: no capabilities, no new privileges, the executor's own user, and of this machine only what
the job names, to read, except its own folder. Everything has the path in the container that it has here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from foldline.runtime import remote
from foldline.runtime.jobs import Given, Job

LIBRARY = "/opt/foldline"
"""Where a container finds our own code for steps."""

OWNER = "foldline.owner"
ATTEMPT = "foldline.attempt"

_SYSTEM = (Path("/usr"), Path("/bin"))
_MOST_FILES = 64
"""Inputs that are mounted one by one; of more their folders are."""

_PROCESSES = 4096
_OVERHEAD_BYTES = 96 * 1024**2
"""For our own processes beside those of the step."""

_LEAST_BYTES = 6 * 1024**2
"""No engine takes less."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says of containers."""

    owner: str
    """Whose they are; no two executors at one engine may have the same."""
    image: str = ""
    """For functions, and programs without one."""
    network: str = "bridge"
    pull: str = "missing"
    """"missing", "always", "never"."""


def config_of(job: Job, terms: Terms, scratch: str) -> dict[str, Any]:
    """For a job that our own launcher carries out inside; `scratch` is a folder of the container's own."""
    command = [str(job.python), "-P", "-c", remote.BOOT, LIBRARY, scratch]
    config = _config(job, terms, terms.image, command, {})
    host = config["HostConfig"]
    host["Mounts"] += [_mount(path) for path in _interpreter(job.python)]
    host["Mounts"].append(_mount(Path(remote.__file__).parent.parent, f"{LIBRARY}/foldline"))
    if job.limits.memory_bytes:
        _limit_memory(host, job.limits.memory_bytes + _OVERHEAD_BYTES)
    return config


def config_of_program(
    job: Job, terms: Terms, command: list[str], variables: dict[str, str]
) -> dict[str, Any]:
    """For a program in an image of its own."""
    assert job.program is not None
    config = _config(job, terms, job.program.image, command, variables)
    # Somebody has to be the first process: without a handler it would not hear any signal.
    config["HostConfig"]["Init"] = True
    config["Env"].append("TINI_KILL_PROCESS_GROUP=1")
    if job.limits.memory_bytes:
        _limit_memory(config["HostConfig"], job.limits.memory_bytes)
    return config


def _config(
    job: Job, terms: Terms, image: str, command: list[str], variables: dict[str, str]
) -> dict[str, Any]:
    environ = {"LANG": "C.UTF-8", "HOME": str(job.folder), "TMPDIR": str(job.folder), **variables}
    return {
        "Image": image,
        "Entrypoint": command[:1],
        "Cmd": command[1:],
        "Env": [f"{name}={value}" for name, value in environ.items()],
        "User": f"{os.getuid()}:{os.getgid()}",
        "WorkingDir": str(job.folder),
        "Labels": {OWNER: terms.owner, ATTEMPT: job.key},
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": True,
        "StdinOnce": True,
        "Tty": False,
        "HostConfig": _host(job, terms),
    }


def _host(job: Job, terms: Terms) -> dict[str, Any]:
    limits = job.limits
    ulimits = {"nofile": limits.open_files, "fsize": limits.disk_bytes, "core": -1}
    host: dict[str, Any] = {
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "NetworkMode": terms.network,
        "AutoRemove": False,
        "PidsLimit": limits.processes or _PROCESSES,
        "RestartPolicy": {"Name": "no"},
        # The output comes to us and nowhere else.
        "LogConfig": {"Type": "none"},
        "Ulimits": [
            {"Name": name, "Soft": max(0, value), "Hard": max(0, value)}
            for name, value in ulimits.items()
            if value
        ],
        "Mounts": [_mount(job.folder, is_writable=True), *(_mount(path) for path in _given(job))],
    }
    if limits.cpu:
        host["NanoCpus"] = round(limits.cpu * 1e9)
    if job.gpus:
        host["DeviceRequests"] = [{"Driver": "nvidia", "Count": job.gpus, "Capabilities": [["gpu"]]}]
    return host


def _limit_memory(host: dict[str, Any], amount: int) -> None:
    # Both alike means: no swap.
    host["Memory"] = host["MemorySwap"] = max(_LEAST_BYTES, amount)


def _given(job: Job) -> Iterator[Path]:
    """What the job reads."""
    if job.bundle.is_dir():
        yield job.bundle
    files = {Path(file) for given in job.inputs.values() for file in _files(given)}
    if job.checkpoint is not None:
        files |= {Path(file) for file in _files(job.checkpoint)}
    yield from sorted(files if len(files) <= _MOST_FILES else {file.parent for file in files})


def _files(given: Given) -> Iterator[str]:
    if given.file:
        yield given.file
    for item in given.items.values():
        yield from _files(item)


def _interpreter(python: Path) -> Iterator[Path]:
    """Its environment, and the installation that this was made of, where that is not the system's."""
    environment = python.parent.parent
    if (environment / "pyvenv.cfg").exists():
        yield environment
    base = python.resolve().parent.parent
    if base != environment and python.exists() and not any(base.is_relative_to(path) for path in _SYSTEM):
        yield base


def _mount(source: Path, target: str = "", *, is_writable: bool = False) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target or str(source),
        "ReadOnly": not is_writable,
        "BindOptions": {"Propagation": "rprivate"},
    }
