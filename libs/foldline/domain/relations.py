"""How runs belong together. Mirrors of the messages in foldline.api.event.v1 (relations.proto)."""

from __future__ import annotations

import msgspec

from foldline.domain.artifacts import Artifact


class Relation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every part of an event that names another run."""


class Parent(Relation, frozen=True, kw_only=True):
    run_id: str
    step: str
    attempt: int
    index: int = 0
    first: int = 0
    over: str = ""
    parallelism: int = 0
    around: dict[str, int] = {}


class Origin(Relation, frozen=True, kw_only=True):
    kind: str
    run_id: str
    again: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


class Reuse(Relation, frozen=True, kw_only=True):
    run_id: str
    step: str
    attempt: int = 0
    outputs: dict[str, Artifact] = {}
    metrics: dict[str, float] = {}
