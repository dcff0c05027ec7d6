from __future__ import annotations

import pytest

from foldline.access import Caller, policy
from foldline.domain.errors import FoldlineError, Kind

START = "/foldline.api.scheduler.v1.SchedulerService/StartRun"
CREATE_WORKSPACE = "/foldline.api.registry.v1.WorkspaceService/CreateWorkspace"
LIST_WORKSPACES = "/foldline.api.registry.v1.WorkspaceService/ListWorkspaces"


def _is_allowed(grants: dict[str, str], rpc: str, workspace: str = "lab") -> bool:
    try:
        policy.check(Caller("ada", grants), rpc, workspace)
    except FoldlineError as error:
        return error.kind is not Kind.FORBIDDEN
    return True


@pytest.mark.parametrize(("permission", "least"), policy.PERMISSIONS.items())
def test_a_permission_belongs_to_its_least_role_and_every_higher_one(permission: str, least: str) -> None:
    holders = [role for role in policy.ROLES if policy.allows(role, permission)]

    assert holders == list(policy.ROLES[policy.ROLES.index(least) :])


def test_every_rule_asks_for_a_permission_that_exists() -> None:
    asked = {rule.permission for rule in policy.RULES.values() if rule.scope != "open"}

    assert asked == set(policy.PERMISSIONS)


def test_a_role_holds_in_its_own_workspace_alone() -> None:
    assert _is_allowed({"lab": "operator"}, START)
    assert not _is_allowed({"other": "admin"}, START)
    assert not _is_allowed({}, START)


def test_a_grant_everywhere_holds_in_each_workspace() -> None:
    assert _is_allowed({"*": "operator"}, START)
    assert not _is_allowed({"*": "viewer"}, START)


def test_the_higher_of_two_roles_counts() -> None:
    assert _is_allowed({"*": "viewer", "lab": "operator"}, START)
    assert _is_allowed({"*": "operator", "lab": "viewer"}, START)


def test_a_role_that_does_not_exist_gives_nothing() -> None:
    assert not _is_allowed({"lab": "emperor"}, START)
    assert not _is_allowed({"lab": ""}, LIST_WORKSPACES)


def test_no_workspace_is_not_every_workspace() -> None:
    assert not _is_allowed({"*": "admin"}, START, workspace="")
    assert not _is_allowed({"": "admin"}, START, workspace="")


def test_admin_of_a_workspace_is_not_admin_of_the_installation() -> None:
    assert not _is_allowed({"lab": "admin"}, CREATE_WORKSPACE)
    assert not _is_allowed({"*": "publisher"}, CREATE_WORKSPACE)
    assert _is_allowed({"*": "admin"}, CREATE_WORKSPACE)


def test_any_role_anywhere_is_enough_where_the_rule_says_so() -> None:
    assert _is_allowed({"other": "viewer"}, LIST_WORKSPACES, workspace="")
    assert not _is_allowed({}, LIST_WORKSPACES, workspace="")


def test_an_rpc_without_a_rule_is_refused_even_to_the_highest() -> None:
    assert not _is_allowed({"*": "admin"}, "/foldline.api.registry.v1.WorkflowService/Teleport")


def test_the_refusal_says_what_is_needed() -> None:
    with pytest.raises(FoldlineError, match="ada needs the role operator in workspace 'lab'") as caught:
        policy.check(Caller("ada", {"lab": "viewer"}), START, "lab")

    assert caught.value.reason == "ROLE_TOO_LOW"
    assert caught.value.fields["role"] == "operator"


@pytest.mark.parametrize(
    ("grants", "workspace", "role", "allowed"),
    [
        ({"lab": "admin"}, "lab", "admin", True),
        ({"lab": "admin"}, "lab", "viewer", True),
        ({"lab": "admin"}, "other", "viewer", False),
        ({"lab": "admin"}, "*", "viewer", False),
        ({"lab": "publisher"}, "lab", "viewer", False),
        ({"*": "admin"}, "lab", "admin", True),
        ({"*": "admin"}, "*", "admin", True),
        ({"*": "admin"}, "lab", "emperor", False),
    ],
)
def test_nobody_grants_more_than_he_holds(
    grants: dict[str, str], workspace: str, role: str, allowed: bool
) -> None:
    assert policy.may_grant(Caller("ada", grants), workspace, role) is allowed
