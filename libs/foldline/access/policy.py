"""The one policy: what each role may do, and what each RPC asks for. Pure data and three questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from foldline.access.identity import EVERYWHERE, Caller
from foldline.domain.errors import FoldlineError, Kind

ROLES = ("viewer", "operator", "developer", "publisher", "admin")
"""From the least to the most; each may do all that the ones before it may."""

PERMISSIONS: Mapping[str, str] = {
    "read": "viewer",
    "configure": "operator",
    "start": "operator",
    "stop": "operator",
    "answer": "operator",
    "schedule": "operator",
    "deliver": "viewer",
    "release": "developer",
    "subscribe": "developer",
    "import": "developer",
    "publish": "publisher",
    "visibility": "publisher",
    "token": "admin",
    "installation": "admin",
}
"""The least role that has each permission."""

Scope = Literal["workspace", "installation", "any", "open"]


class Rule(NamedTuple):
    """What an RPC asks for.

    Scope "workspace": the permission in `request.workspace`; "installation": the permission in "*";
    "any": the permission in any workspace at all; "open": nothing, not even a token.
    """

    permission: str
    scope: Scope


def _rules(service: str, scope: Scope, **permissions: str) -> dict[str, Rule]:
    return {f"/{service}/{rpc}": Rule(permission, scope) for rpc, permission in permissions.items()}


RULES: Mapping[str, Rule] = {
    **_rules(
        "foldline.api.registry.v1.WorkflowService",
        "workspace",
        CreateRelease="release",
        GetRelease="read",
        ListReleases="read",
        GetWorkflow="read",
        ListWorkflows="read",
        ConfigureWorkflow="configure",
        ResolveRun="read",
    ),
    **_rules(
        "foldline.api.registry.v1.GalleryService",
        "workspace",
        PublishAsset="publish",
        SetVisibility="visibility",
        ListAssets="read",
        GetAsset="read",
        Subscribe="subscribe",
        Unsubscribe="subscribe",
        ListSubscriptions="read",
        ImportAsset="import",
    ),
    **_rules("foldline.api.registry.v1.WorkspaceService", "workspace", IssueToken="token"),
    **_rules("foldline.api.registry.v1.WorkspaceService", "installation", CreateWorkspace="installation"),
    **_rules("foldline.api.registry.v1.WorkspaceService", "any", ListWorkspaces="read"),
    **_rules(
        "foldline.api.scheduler.v1.SchedulerService",
        "workspace",
        StartRun="start",
        StopRun="stop",
        StopStep="stop",
        PauseRun="stop",
        ResumeRun="start",
        RetrySteps="start",
        ProvideParameters="start",
        AnswerWait="answer",
        DeliverEvent="answer",
        PlanFork="read",
        ForkRun="start",
        ExplainWaiting="read",
    ),
    **_rules(
        "foldline.api.scheduler.v1.ScheduleService",
        "workspace",
        CreateSchedule="schedule",
        GetSchedule="read",
        ListSchedules="read",
        UpdateSchedule="schedule",
        PauseSchedule="schedule",
        ResumeSchedule="schedule",
        DeleteSchedule="schedule",
        ListScheduleHistory="read",
        BackfillSchedule="schedule",
        CancelBackfill="schedule",
    ),
    **_rules(
        "foldline.api.scheduler.v1.TriggerService",
        "workspace",
        CreateTrigger="schedule",
        GetTrigger="read",
        ListTriggers="read",
        UpdateTrigger="schedule",
        DeleteTrigger="schedule",
        ListTriggerHistory="read",
        FireTrigger="start",
        ReceiveEvent="deliver",
    ),
    **_rules("foldline.api.scheduler.v1.SchedulerService", "any", ListExecutors="read"),
    **_rules("foldline.api.scheduler.v1.SchedulerService", "installation", DrainExecutor="installation"),
    **_rules(
        "foldline.api.recorder.v1.RecorderService",
        "workspace",
        GetRun="read",
        ListRuns="read",
        ListHistory="read",
        ReplayRun="read",
        WatchRun="read",
        ReadLog="read",
        ReadMetrics="read",
        ReadArtifact="read",
        GetArtifactPreview="read",
        ListTodos="read",
    ),
    **_rules("foldline.api.recorder.v1.RecorderService", "installation", ListParkedMessages="installation"),
    **_rules("foldline.api.executor.v1.ExecutorService", "any", GetExecutor="read"),
    **_rules("foldline.api.executor.v1.ExecutorService", "installation", DrainExecutor="installation"),
    **_rules("grpc.health.v1.Health", "open", Check="", List="", Watch=""),
    **_rules("grpc.reflection.v1alpha.ServerReflection", "open", ServerReflectionInfo=""),
}
"""Every RPC there is, by its full path. What is not here is refused."""


def allows(role: str, permission: str) -> bool:
    """Does the role have the permission? An unknown role has none."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(PERMISSIONS[permission])


def role_in(caller: Caller, workspace: str) -> str:
    """The caller's role in a workspace ("*": in all of them); "" for none."""
    roles = {caller.grants.get(workspace, ""), caller.grants.get(EVERYWHERE, "")}
    return max(roles & set(ROLES), key=ROLES.index, default="")


def may_grant(caller: Caller, workspace: str, role: str) -> bool:
    """May the caller make a token with this role? Nobody can grant more than he holds."""
    held = role_in(caller, workspace)
    return allows(held, "token") and role in ROLES and ROLES.index(role) <= ROLES.index(held)


def is_open(rpc: str) -> bool:
    """Needs no token."""
    rule = RULES.get(rpc)
    return rule is not None and rule.scope == "open"


def check(caller: Caller, rpc: str, workspace: str) -> None:
    """Return if the caller may call this RPC on this workspace; raise FORBIDDEN if not."""
    rule = RULES.get(rpc)
    if rule is None:
        raise FoldlineError(Kind.FORBIDDEN, "RPC_NOT_PERMITTED", f"no rule permits {rpc}", rpc=rpc)
    match rule.scope:
        case "open":
            return
        case "workspace":
            roles = [role_in(caller, workspace)] if workspace else []
            where = f"in workspace {workspace!r}"
        case "installation":
            roles = [role_in(caller, EVERYWHERE)]
            where = "in the whole installation"
        case "any":
            roles = list(caller.grants.values())
            where = "in some workspace"
    if not any(allows(role, rule.permission) for role in roles):
        raise FoldlineError(
            Kind.FORBIDDEN,
            "ROLE_TOO_LOW",
            f"{caller.subject} needs the role {PERMISSIONS[rule.permission]} {where} for {rpc}",
            rpc=rpc,
            workspace=workspace,
            permission=rule.permission,
            role=PERMISSIONS[rule.permission],
        )
