"""What an author declares: a graph of steps with typed parameters.

Each struct mirrors the message of the same name in foldline.api.workflow.v1, field for field; the proto has
the meaning of every field. `tests/unit/wire` holds the two together.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict with str keys."""

ValueType = Literal[
    "any", "int", "float", "str", "bool", "json", "array", "table", "model", "image", "file", "list"
]
ParameterType = Literal["int", "float", "str", "bool", "json"]
StepKind = Literal["function", "command", "condition", "map", "repeat", "workflow", "wait"]
WORK_KINDS = frozenset({"function", "command"})
"""Kinds of steps that run on an executor."""

Operator = Literal["==", "!=", ">", ">=", "<", "<=", "in", "and", "or", "not"]


class Declared(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    repr_omit_defaults=True,
):
    """Base of everything that an author declares."""


class Parameter(Declared, frozen=True, kw_only=True):
    name: str
    type: ParameterType
    title: str = ""
    description: str = ""
    default: Json | UnsetType = UNSET
    minimum: float | UnsetType = UNSET
    maximum: float | UnsetType = UNSET
    choices: tuple[Json, ...] = ()
    delayed: bool = False

    @property
    def is_required(self) -> bool:
        """Must a value be given before the run? A delayed one is asked for when a step needs it."""
        return self.default is UNSET and not self.delayed


class OutputRef(Declared, frozen=True, kw_only=True):
    step: str
    name: str
    path: tuple[str, ...] = ()


class Merge(Declared, frozen=True, kw_only=True):
    outputs: tuple[OutputRef, ...] = ()


class MetricRef(Declared, frozen=True, kw_only=True):
    step: str
    name: str


class Binding(Declared, frozen=True, kw_only=True):
    """Where a value comes from; exactly one field is set."""

    value: Json | UnsetType = UNSET
    parameter: str | UnsetType = UNSET
    output: OutputRef | UnsetType = UNSET
    merge: Merge | UnsetType = UNSET
    metric: MetricRef | UnsetType = UNSET
    fact: str | UnsetType = UNSET


class Expression(Declared, frozen=True, kw_only=True):
    """A comparison (left, right) or a combination (terms)."""

    op: Operator
    left: Binding | UnsetType = UNSET
    right: Binding | UnsetType = UNSET
    terms: tuple[Expression, ...] = ()


class Function(Declared, frozen=True, kw_only=True):
    module: str
    name: str


class Output(Declared, frozen=True, kw_only=True):
    name: str
    type: ValueType = "any"


class Guard(Declared, frozen=True, kw_only=True):
    step: str
    branch: bool = False


class Retry(Declared, frozen=True, kw_only=True):
    max_attempts: int = 0
    delay_seconds: float = 0.0
    multiplier: float = 0.0
    max_delay_seconds: float = 0.0
    never_after: tuple[str, ...] = ()
    on_exhausted: str = ""
    jitter: float | UnsetType = UNSET


class Timeouts(Declared, frozen=True, kw_only=True):
    run_seconds: float = 0.0
    grace_seconds: float = 0.0
    queue_seconds: float = 0.0
    total_seconds: float = 0.0
    silence_seconds: float = 0.0


class Resources(Declared, frozen=True, kw_only=True):
    pool: str = ""
    cpu: float = 0.0
    memory_bytes: int = 0
    flavor: str = ""
    gpu: int = 0
    open_files: int = 0
    disk_bytes: int = 0


class Body(Declared, frozen=True, kw_only=True):
    """The graph inside a map, repeat or workflow step."""

    graph: Graph
    release: str = ""
    bundle: str = ""
    environment: str = ""


class Map(Declared, frozen=True, kw_only=True):
    over: str
    parallelism: int = 0
    tolerated: int = 0


class Repeat(Declared, frozen=True, kw_only=True):
    until: Expression
    max_iterations: int
    carry: dict[str, str] = {}
    at_maximum: str = ""


class Wait(Declared, frozen=True, kw_only=True):
    kind: str
    prompt: str = ""
    fields: tuple[Parameter, ...] = ()
    choices: tuple[str, ...] = ()
    assignee: str = ""
    deadline_seconds: float = 0.0
    at_deadline: str = ""
    at_rejection: str = ""
    event: str = ""


class Command(Declared, frozen=True, kw_only=True):
    line: str = ""
    script: str = ""
    arguments: tuple[str, ...] = ()
    image: str = ""
    variables: dict[str, str] = {}
    metrics_file: str = ""


class Step(Declared, frozen=True, kw_only=True):
    name: str
    kind: StepKind
    title: str = ""
    description: str = ""
    function: Function | UnsetType = UNSET
    inputs: dict[str, Binding] = {}
    input_types: dict[str, ValueType] = {}
    outputs: tuple[Output, ...] = ()
    after: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()
    condition: Expression | UnsetType = UNSET
    retry: Retry = Retry()
    timeouts: Timeouts = Timeouts()
    resources: Resources = Resources()
    allow_pickle: bool = False
    skip_when: Expression | UnsetType = UNSET
    handles: str = ""
    effects: str = ""
    cache: bool = False
    code: str = ""
    body: Body | UnsetType = UNSET
    map: Map | UnsetType = UNSET
    repeat: Repeat | UnsetType = UNSET
    wait: Wait | UnsetType = UNSET
    max_active: int = 0
    command: Command | UnsetType = UNSET
    isolation: str = ""
    ranks: int = 0


class Scene(Declared, frozen=True, kw_only=True):
    name: str
    title: str = ""
    steps: tuple[str, ...] = ()


class Graph(Declared, frozen=True, kw_only=True):
    name: str
    title: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    steps: tuple[Step, ...] = ()
    outputs: dict[str, Binding] = {}
    on_failure: str = ""
    scenes: tuple[Scene, ...] = ()


class Environment(Declared, frozen=True, kw_only=True):
    """The locked packages of a release; digest = sha256 of its canonical JSON (`releases.canonical`)."""

    python: str
    requirements: tuple[str, ...] = ()
    lock: str = ""
