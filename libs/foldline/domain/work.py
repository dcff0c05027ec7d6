"""What schedulers and executors say to each other. Mirrors of foldline.api.executor.v1 (work.proto)."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from foldline.domain.artifacts import Artifact
from foldline.domain.failures import Failure
from foldline.domain.spec import Command, Function, Json, Output, Resources, Timeouts


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every message."""


class AttemptKey(Message, frozen=True, kw_only=True):
    run_id: str
    step: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.run_id}/{self.step}/{self.attempt}"


class Input(Message, frozen=True, kw_only=True):
    value: Json | UnsetType = UNSET
    artifact: Artifact | UnsetType = UNSET


class Work(Message, frozen=True, kw_only=True):
    key: AttemptKey
    workspace: str
    workflow: str
    partition: int = 0
    function: Function | UnsetType = UNSET
    bundle: str = ""
    environment: str = ""
    inputs: dict[str, Input] = {}
    outputs: tuple[Output, ...] = ()
    timeouts: Timeouts = Timeouts()
    resources: Resources = Resources()
    allow_pickle: bool = False
    checkpoint: Artifact | UnsetType = UNSET
    command: Command | UnsetType = UNSET
    isolation: str = ""
    ranks: int = 0
    effects: str = ""


class StopAttempt(Message, frozen=True, kw_only=True):
    key: AttemptKey
    grace_seconds: float = 0.0
    forced: bool = False


class Report(Message, frozen=True, kw_only=True):
    key: AttemptKey
    session: str
    kind: str
    outputs: dict[str, Artifact] = {}
    reads: tuple[str, ...] = ()
    failure: Failure | UnsetType = UNSET
    seconds: float = 0.0
    max_rss_bytes: int = 0
    log_lines: int = 0
    metrics: dict[str, float] = {}
    fraction: float = 0.0
    message: str = ""
    checkpoint: Artifact | UnsetType = UNSET
    number: int = 0


class ReportAck(Message, frozen=True, kw_only=True):
    key: AttemptKey
    kind: str
    number: int = 0


class Claim(Message, frozen=True, kw_only=True):
    workspace: str = ""
    workflow: str = ""
    resources: Resources = Resources()
    ranks: int = 0


class Heartbeat(Message, frozen=True, kw_only=True):
    session: str
    name: str
    region: str
    pool: str
    slots: int = 0
    draining: bool = False
    held: tuple[AttemptKey, ...] = ()
    replaces: str = ""
    leaving: bool = False
    cpu: float = 0.0
    memory_bytes: int = 0
    gpu: int = 0
    flavors: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    claims: tuple[Claim, ...] = ()
    backends: tuple[str, ...] = ()
    closed: str = ""
    version: str = ""


class Drain(Message, frozen=True, kw_only=True):
    undo: bool = False


class LogEntry(Message, frozen=True, kw_only=True):
    number: int
    time: datetime
    stream: str
    text: str = ""
    rank: int = 0


class LogChunk(Message, frozen=True, kw_only=True):
    key: AttemptKey
    lines: tuple[LogEntry, ...] = ()
    end: bool = False
