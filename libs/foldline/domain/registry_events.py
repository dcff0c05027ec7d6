"""The facts about workspaces, workflows, releases and the gallery. Mirrors of registry_events.proto."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from foldline.domain.run_events import Event
from foldline.domain.spec import Graph, Json


class WorkspaceCreated(Event, frozen=True, kw_only=True):
    workspace: str
    title: str = ""


class ImportSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    publisher: str
    asset: str
    version: str


class WorkflowCreated(Event, frozen=True, kw_only=True):
    workspace: str
    workflow: str
    region: str
    source: ImportSource | UnsetType = UNSET


class ReleaseCreated(Event, frozen=True, kw_only=True):
    release: str
    graph: Graph
    bundle: str = ""
    environment: str = ""
    docs: str = ""


class WorkflowReleased(Event, frozen=True, kw_only=True):
    release: str
    number: int


class WorkflowConfigured(Event, frozen=True, kw_only=True):
    values: dict[str, Json] = {}


class Agreement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    text: str = ""


class AssetPublished(Event, frozen=True, kw_only=True):
    publisher: str
    asset: str
    version: str
    release: str
    title: str = ""
    notes: str = ""
    agreements: tuple[Agreement, ...] = ()


class AssetVisibilityChanged(Event, frozen=True, kw_only=True):
    visibility: str
    workspaces: tuple[str, ...] = ()


class Subscribed(Event, frozen=True, kw_only=True):
    workspace: str
    publisher: str
    asset: str
    accepted: dict[str, str] = {}


class Unsubscribed(Event, frozen=True, kw_only=True):
    pass


RegistryEvent = (
    WorkspaceCreated
    | WorkflowCreated
    | ReleaseCreated
    | WorkflowReleased
    | WorkflowConfigured
    | AssetPublished
    | AssetVisibilityChanged
    | Subscribed
    | Unsubscribed
)
