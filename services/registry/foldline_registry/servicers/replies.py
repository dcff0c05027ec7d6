"""States as the messages that clients get."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import UNSET

from foldline.api.event.v1 import registry_events_pb2 as events
from foldline.api.registry.v1 import gallery_service_pb2 as gallery
from foldline.api.registry.v1 import workflow_service_pb2 as workflows
from foldline.api.registry.v1 import workspace_service_pb2 as workspaces
from foldline.api.workflow.v1 import workflow_pb2
from foldline.domain import parameters
from foldline.wire import messages
from foldline_registry.aggregates.asset import AssetState
from foldline_registry.aggregates.release import ReleaseState, Summary
from foldline_registry.aggregates.subscription import SubscriptionState
from foldline_registry.aggregates.workflow import WorkflowState
from foldline_registry.aggregates.workspace import WorkspaceState


def workspace(state: WorkspaceState) -> workspaces.Workspace:
    return workspaces.Workspace(name=state.workspace, title=state.title)


def release(state: Summary, *, number: int = 0) -> workflows.Release:
    """With the graph where the state has one."""
    reply = workflows.Release(
        digest=state.release,
        bundle=state.bundle,
        environment=state.environment,
        docs=state.docs,
        parameters_schema=messages.to_struct(parameters.schema(state.parameters)),
        number=number,
    )
    _time(reply.create_time, state.created_at)
    if isinstance(state, ReleaseState):
        reply.graph.CopyFrom(messages.to_message(state.graph, workflow_pb2.Graph))
    return reply


def workflow(state: WorkflowState, release: Summary) -> workflows.Workflow:
    reply = workflows.Workflow(
        workspace=state.workspace,
        name=state.workflow,
        title=release.title,
        region=state.region,
        release=state.release,
        release_number=state.number,
        values=messages.to_struct(state.values),
        missing=parameters.missing(release.parameters, state.values),
    )
    if state.source is not UNSET:
        reply.source.CopyFrom(messages.to_message(state.source, events.ImportSource))
    _time(reply.create_time, state.created_at)
    _time(reply.update_time, state.updated_at)
    return reply


def asset(state: AssetState, *, subscribed: bool, to: str) -> gallery.Asset:
    """As workspace `to` may know it: the whitelist is the publisher's business."""
    reply = gallery.Asset(
        publisher=state.publisher,
        name=state.asset,
        title=state.title,
        visibility=state.visibility,
        workspaces=state.workspaces if to == state.publisher else (),
        agreements=[messages.to_message(one, events.Agreement) for one in state.agreements],
        subscribed=subscribed,
    )
    for published in reversed(state.versions):
        version = reply.versions.add(
            version=published.version, release=published.release, notes=published.notes
        )
        _time(version.publish_time, published.at)
    return reply


def subscription(state: SubscriptionState) -> gallery.Subscription:
    reply = gallery.Subscription(
        workspace=state.workspace, publisher=state.publisher, asset=state.asset, accepted=state.accepted
    )
    _time(reply.subscribe_time, state.subscribed_at)
    return reply


def _time(target: Any, at: datetime) -> None:
    target.FromDatetime(at)
