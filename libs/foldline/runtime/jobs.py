"""What a launcher asks of a step's process, and what comes back: plain data, JSON between the two."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INLINE_LIMIT_BYTES = 64 * 1024
"""JSON outputs up to this size come back as text, everything else as a file."""

LISTS = ("list", "lists")
"""Encodings of what a map gave: a list of artifacts, and a list of such lists that counts as one."""

CHECKPOINTS = ".foldline-checkpoints"
"""Where in its folder a step's checkpoints are written; made for the first one."""

RANKS = ".foldline-ranks"
"""Where in the folder of an attempt all ranks but the first have folders of their own, by their number."""

DEFAULT_GRACE_SECONDS = 10.0
TRACEBACK_LIMIT = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One input, resolved: a JSON value, or (when `file` is set) a file to decode by its encoding.

    Of a list (LISTS) the file or the value holds the artifacts in it; `items` are those of them, and of the
    lists in it, that have to be read from a file, by digest.

    `digest` names the artifact that it is; it is recorded as read once the value was decoded.
    """

    value: Any = None
    file: str = ""
    encoding: str = ""
    digest: str = ""
    filename: str = ""
    items: dict[str, Given] = field(default_factory=dict)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Given:
        """From the JSON object that `fields` gave."""
        items = {digest: cls.of(one) for digest, one in fields.get("items", {}).items()}
        return cls(**{**fields, "items": items})

    def fields(self) -> dict[str, Any]:
        """As a JSON object, without what is empty: there may be very many. The value is not copied."""
        found: dict[str, Any] = {"value": self.value} if not self.file else {}
        for name in ("file", "encoding", "digest", "filename"):
            if text := getattr(self, name):
                found[name] = text
        if self.items:
            found["items"] = {digest: one.fields() for digest, one in self.items.items()}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Who a step is, for `foldline.current()`."""

    run_id: str = ""
    step: str = ""
    attempt: int = 1
    workspace: str = ""
    workflow: str = ""

    def fields(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "run_id": self.run_id,
            "step": self.step,
            "attempt": self.attempt,
            "workspace": self.workspace,
            "workflow": self.workflow,
        }

    @property
    def checkpoint(self) -> Any:
        """What the newest earlier attempt of the step left; None where none did."""
        from foldline.runtime import context

        return context.last_checkpoint()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one attempt may take, all its processes together; 0 means no limit."""

    memory_bytes: int = 0
    cpu: float = 0.0
    """Cores."""
    open_files: int = 0
    """Of each of its processes."""
    disk_bytes: int = 0
    """Of its outputs, and of what it writes into its folder."""
    processes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a step of kind command runs instead of a function. `layout` says what it finds and leaves.

    Exactly one of line, script and arguments is set: a line for `sh -eu -c`, a file of the bundle (run by
    what its first line names, else by sh), a program with its arguments.
    """

    line: str = ""
    script: str = ""
    """Relative to the bundle."""
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    """The author's environment variables; those of inputs, outputs and ranks come on top."""
    metrics_file: str = ""
    """Relative to the folder; empty for none."""
    image: str = ""
    """Container image that it runs in; empty for the executor's machine."""

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Program:
        """From the JSON object that `dataclasses.asdict` gave."""
        return cls(**{**fields, "arguments": tuple(fields["arguments"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt. `key` is unique among the attempts of a launcher; `folder` does not exist yet and is
    the caller's to remove: the step works in it, and the files of its outputs are inside.

    It runs a function of a module, or (when `program` is set; module and function are empty then) a program.
    """

    key: str
    python: Path
    bundle: Path
    module: str = ""
    function: str = ""
    program: Program | None = None
    folder: Path
    ranks: int = 1
    """Processes that work on it together. Rank 0 works in `folder`, the others in folders below it
    (RANKS); outputs, notes and checkpoints are those of rank 0."""
    variables: dict[str, str] = field(default_factory=dict)
    """Environment variables that the platform adds: of one of several ranks who it is (`ranks`)."""
    gpus: int = 0
    """Graphics processors of each rank. A backend of a cluster places it by them."""
    inputs: dict[str, Given] = field(default_factory=dict)
    outputs: tuple[tuple[str, str], ...] = ()
    """Declared outputs as (name, type)."""
    allow_pickle: bool = False
    pickle_forbidden: bool = False
    """The step asks for pickle and may not have it; only words depend on this."""
    run_seconds: float = 0.0
    """Longest time that the step's process may run; 0 means no limit."""
    silence_seconds: float = 0.0
    """Longest time without any output, progress, metric or checkpoint; 0 means no limit."""
    grace_seconds: float = DEFAULT_GRACE_SECONDS
    """Between SIGTERM and SIGKILL."""
    checkpoint: Given | None = None
    """What an earlier attempt left."""
    facts: Facts = Facts()
    is_shared: bool = False
    """Run in a process that runs other attempts of the same module before and after it."""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailure:
    """Why an attempt failed; the fields of foldline.api.failure.v1.Failure."""

    kind: str
    reason: str
    message: str
    error_class: str = ""
    traceback: str = ""
    exit_code: int = 0
    signal: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One encoded output: `text` where it is small JSON, otherwise `file`, with a preview in JSON."""

    type: str
    encoding: str
    text: str | None = None
    file: Path | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    filename: str = ""
    preview: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Product:
        """From the JSON object that `fields` gave."""
        return cls(**{**fields, "file": Path(fields["file"]) if fields["file"] else None})

    def fields(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "type": self.type,
            "encoding": self.encoding,
            "text": self.text,
            "file": str(self.file) if self.file else None,
            "summary": self.summary,
            "filename": self.filename,
            "preview": self.preview,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended: with all declared outputs, or with a failure."""

    outputs: dict[str, Product] = field(default_factory=dict)
    failure: StepFailure | None = None
    reads: tuple[str, ...] = ()
    seconds: float = 0.0
    max_rss_bytes: int = 0
    left: tuple[str, ...] = ()
    """What a shared attempt has left behind in its process, in words."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log. Streams: "stdout", "stderr", "note" (progress and metrics, as JSON), and
    "system" for words of the platform. `rank` is the process of several that wrote it."""

    stream: str
    text: str
    rank: int = 0
