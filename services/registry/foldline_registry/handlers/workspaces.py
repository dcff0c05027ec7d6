"""Workspaces and the tokens that act in them."""

from __future__ import annotations

from foldline.access import caller, policy, tokens
from foldline.access.identity import EVERYWHERE
from foldline.chassis.clock import Clock
from foldline.chassis.settings import Secret
from foldline.domain import names
from foldline.domain.errors import FoldlineError, Kind
from foldline_registry import streams
from foldline_registry.aggregates import workspace as rules
from foldline_registry.aggregates.workspace import WorkspaceState
from foldline_registry.handlers import texts
from foldline_registry.handlers.lookups import Lookups
from foldline_registry.ledger import Ledger
from foldline_registry.views.reads import Views

DEFAULT_TTL_SECONDS = 30 * 24 * 3600


class Workspaces:
    def __init__(self, ledger: Ledger, lookups: Lookups, views: Views, *, key: Secret, clock: Clock) -> None:
        self._ledger = ledger
        self._lookups = lookups
        self._views = views
        self._key = key
        self._clock = clock

    async def create(self, workspace: str, *, title: str) -> WorkspaceState:
        names.workspace(workspace)
        texts.title(title)
        state, _ = await self._ledger.execute(
            streams.workspace(workspace),
            rules.evolve,
            lambda state: rules.create(state, workspace=workspace, title=title),
            workspace=workspace,
        )
        return state

    async def list(self) -> list[WorkspaceState]:
        """Those that the caller's token names; all for a token that holds everywhere."""
        granted = caller().grants
        return await self._views.workspaces(None if EVERYWHERE in granted else granted.keys())

    async def issue_token(self, workspace: str, *, role: str, subject: str, ttl_seconds: int) -> str:
        if role not in policy.ROLES:
            raise FoldlineError(
                Kind.INVALID, "UNKNOWN_ROLE", f"role {role[:80]!r} is none of {', '.join(policy.ROLES)}"
            )
        names.subject(subject)
        if not policy.may_grant(caller(), workspace, role):
            raise FoldlineError(
                Kind.FORBIDDEN,
                "GRANT_TOO_HIGH",
                f"{caller().subject} cannot grant the role {role} in workspace {workspace}: nobody can grant "
                "more than he holds",
                role=role,
                workspace=workspace,
            )
        if workspace != EVERYWHERE:
            await self._lookups.workspace(workspace)
        return tokens.issue(
            self._key,
            subject=subject,
            grants={workspace: role},
            ttl_seconds=ttl_seconds or DEFAULT_TTL_SECONDS,
            now=self._clock.now(),
        )
