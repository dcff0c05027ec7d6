"""What the executor reads from its environment (prefix FOLDLINE_), and what steps see of the machine's."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import msgspec
import psutil

from foldline.access.admission import CALLS
from foldline.artifacts.store import PATIENCE_SECONDS
from foldline.chassis import settings
from foldline.chassis.amounts import ByteAmount
from foldline.chassis.settings import Secret
from foldline.execution import cuts

VERSION = importlib.metadata.version("foldline")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    nats: Secret
    artifacts: str  # folder, or address of an object store
    token_key: Secret
    home: Path  # environments, bundles, work folders, spooled reports
    artifacts_patience_seconds: float = PATIENCE_SECONDS  # how long a store that is away is tried again
    name: str = "executor"
    region: str = "local"
    pool: str = "default"
    slots: int = 0  # attempts at once; 0 means one per processor
    cpu: float = (
        0.0  # for attempts together; 0 means as many as there are processors, and one per slot at least
    )
    memory: ByteAmount = ByteAmount(0)  # e.g. "16GiB"; 0 means all that the machine has
    gpu: int = 0
    backends: str = "process"  # how attempts run: process, container, ray; the first is the usual one
    container_socket: Path = Path("/var/run/docker.sock")  # of an engine with Docker's API
    container_image: str = ""  # for steps without an image of their own, where container is the usual backend
    container_network: str = "bridge"
    container_pull: str = "missing"  # or "always", "never"
    ray_address: str = "auto"  # of the head, as ray.init takes it; its token is in RAY_AUTH_TOKEN
    ray_jobs: str = ""  # address of the Jobs API, e.g. http://head:8265, to use that and no agent
    ray_namespace: str = "foldline"
    ray_place_seconds: float = 600.0  # how long an attempt may wait for room in the cluster
    flavors: str = ""  # names with commas between; empty means every flavor that there is room for
    labels: str = ""  # e.g. "zone=a,disk=ssd"; for operators to see
    pythons: str = ""  # interpreters besides those that are found: paths with commas between
    keep_environments: int = 30  # built ones that may stay when nothing uses them
    keep_bundles: int = 200  # unpacked ones, likewise
    keep_artifacts: ByteAmount = ByteAmount(20 * 1024**3)  # inputs fetched from a remote store, together
    drain_seconds: float = 10.0  # how long attempts may go on after SIGTERM before they are stopped
    disk_free: ByteAmount = ByteAmount(1024**3)  # with less free space no new work is taken; 0 means any
    allow_pickle: bool = False  # may steps that ask for pickle by name have it
    store_patience_seconds: float = 30.0  # how long logs wait for a store that is away
    log_lines: int = cuts.DEFAULT_LINES  # of one attempt; of what follows only the last lines are kept
    log_bytes: ByteAmount = ByteAmount(cuts.DEFAULT_BYTES)  # the same for the bytes of its text
    metric_points: int = 10_000_000  # of one attempt, in all its series together
    listen: str = "127.0.0.1:0"
    admin: str = "127.0.0.1:0"
    log_format: str = "auto"
    calls: int = CALLS  # RPCs under way at once, and as many streams; docs/overload.md

    @property
    def slot_count(self) -> int:
        return self.slots or os.cpu_count() or 1

    @property
    def cpu_count(self) -> float:
        return self.cpu or float(max(self.slot_count, os.cpu_count() or 1))

    @property
    def memory_bytes(self) -> int:
        return int(self.memory) or psutil.virtual_memory().total

    @property
    def log_limit(self) -> cuts.Limit:
        return cuts.Limit(lines=self.log_lines, bytes=int(self.log_bytes))

    @property
    def python_paths(self) -> tuple[Path, ...]:
        return tuple(map(Path, _parts(self.pythons)))

    @property
    def flavor_names(self) -> tuple[str, ...]:
        return tuple(_parts(self.flavors))

    @property
    def backend_names(self) -> tuple[str, ...]:
        """The first is for whatever asks for none."""
        return tuple(dict.fromkeys(_parts(self.backends))) or ("process",)

    @property
    def label_values(self) -> dict[str, str]:
        """A label without a value has an empty one."""
        pairs = (part.partition("=") for part in _parts(self.labels))
        return {name.strip(): value.strip() for name, _, value in pairs}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


class _Machine(msgspec.Struct, frozen=True, kw_only=True):
    path: str = "/usr/local/bin:/usr/bin:/bin"
    home: str = "/"
    ssl_cert_file: str = ""
    ssl_cert_dir: str = ""
    ld_library_path: str = ""
    tz: str = ""


class _Ray(msgspec.Struct, frozen=True, kw_only=True):
    auth_token: Secret = Secret("")


def ray_token() -> str:
    """Where Ray's own programs have it, too."""
    return settings.load(_Ray, prefix="RAY_").auth_token.value


def step_environ() -> dict[str, str]:
    """All that a step's process is given of the executor's environment: nothing that could be a secret."""
    machine = settings.load(_Machine, prefix="")
    given = {
        "PATH": machine.path,
        "HOME": machine.home,
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": machine.ssl_cert_file,
        "SSL_CERT_DIR": machine.ssl_cert_dir,
        "LD_LIBRARY_PATH": machine.ld_library_path,
        "TZ": machine.tz,
    }
    return {name: value for name, value in given.items() if value}
