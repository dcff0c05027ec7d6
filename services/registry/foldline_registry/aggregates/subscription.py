"""Stream subscription-<workspace>.<publisher>.<asset>: a workspace's right to an asset.

What must be accepted is what the asset's newest version asks, whichever version is imported. So new terms
hold back further imports until somebody subscribes again and accepts them; what was imported stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import Subscribed, Unsubscribed
from foldline.domain.run_events import Event
from foldline_registry.aggregates.asset import AssetState, digests
from foldline_registry.aggregates.state import State, folding, misplaced


class SubscriptionState(State, frozen=True, kw_only=True):
    workspace: str
    publisher: str
    asset: str
    accepted: dict[str, str] = {}  # digest of each text by the agreement's name
    subscribed_at: datetime
    is_active: bool = True


def _evolve(state: SubscriptionState | None, event: Event, at: datetime) -> SubscriptionState:
    match state, event:
        case _, Subscribed():
            return SubscriptionState(
                workspace=event.workspace,
                publisher=event.publisher,
                asset=event.asset,
                accepted=event.accepted,
                subscribed_at=at,
            )
        case SubscriptionState(), Unsubscribed():
            return msgspec.structs.replace(state, is_active=False)
        case _:
            raise misplaced(state, event)


evolve = folding(_evolve)


def subscribe(
    state: SubscriptionState | None, *, asset: AssetState, workspace: str, accept: Sequence[str]
) -> Sequence[Event]:
    """Subscribe, accepting what the newest version asks. The publisher need not accept his own texts."""
    wanted = digests(asset.agreements)
    _refuse_unknown(asset, accept, wanted)
    before = state.accepted if state is not None and state.is_active else {}
    accepted = {
        name: digest for name, digest in wanted.items() if name in accept or before.get(name) == digest
    }
    if workspace != asset.publisher:
        _require_accepted(asset, accepted)
    if state is not None and state.is_active and accepted == state.accepted:
        return []
    return [Subscribed(workspace=workspace, publisher=asset.publisher, asset=asset.asset, accepted=accepted)]


def unsubscribe(
    state: SubscriptionState | None, *, workspace: str, publisher: str, asset: str
) -> Sequence[Event]:
    if state is None or not state.is_active:
        raise _not_subscribed(Kind.NOT_FOUND, workspace, publisher, asset)
    return [Unsubscribed()]


def require_right(state: SubscriptionState | None, *, asset: AssetState, workspace: str) -> None:
    """May `workspace` import the asset? Raises NOT_SUBSCRIBED or AGREEMENTS_NOT_ACCEPTED."""
    if workspace == asset.publisher:
        return
    if state is None or not state.is_active:
        raise _not_subscribed(Kind.PRECONDITION, workspace, asset.publisher, asset.asset)
    _require_accepted(asset, state.accepted)


def _require_accepted(asset: AssetState, accepted: Mapping[str, str]) -> None:
    wanted = digests(asset.agreements)
    refused = [name for name, digest in wanted.items() if accepted.get(name) != digest]
    if refused:
        raise FoldlineError(
            Kind.PRECONDITION,
            "AGREEMENTS_NOT_ACCEPTED",
            f"asset {asset.publisher}/{asset.asset} asks to accept {', '.join(refused)}: read the text and "
            "subscribe accepting it by name",
            asset=f"{asset.publisher}/{asset.asset}",
            agreements=",".join(refused),
        )


def _refuse_unknown(asset: AssetState, accept: Sequence[str], wanted: Mapping[str, str]) -> None:
    for name in accept:
        if name not in wanted:
            raise FoldlineError(
                Kind.INVALID,
                "UNKNOWN_AGREEMENT",
                f"asset {asset.publisher}/{asset.asset} has no agreement {name[:80]!r}; it has "
                f"{', '.join(wanted) or 'none'}",
                agreement=name[:80],
            )


def _not_subscribed(kind: Kind, workspace: str, publisher: str, asset: str) -> FoldlineError:
    return FoldlineError(
        kind,
        "NOT_SUBSCRIBED",
        f"workspace {workspace} has no subscription to asset {publisher}/{asset}",
        workspace=workspace,
        asset=f"{publisher}/{asset}",
    )
