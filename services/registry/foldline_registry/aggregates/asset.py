"""Stream asset-<publisher>.<name>: a released workflow in the gallery, version by version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from foldline.domain import names, releases, versions
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.registry_events import Agreement, AssetPublished, AssetVisibilityChanged
from foldline.domain.run_events import Event
from foldline_registry.aggregates.state import State, folding, misplaced

VISIBILITIES = ("public", "group", "private")
GROUP_LIMIT = 1000
AGREEMENTS_LIMIT_BYTES = 64 * 1024


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One version."""

    version: str
    release: str
    notes: str = ""
    at: datetime


class AssetState(State, frozen=True, kw_only=True):
    publisher: str
    asset: str
    title: str = ""
    visibility: str = "private"
    workspaces: tuple[str, ...] = ()
    versions: tuple[Published, ...] = ()  # oldest first, strictly growing
    agreements: tuple[Agreement, ...] = ()  # of the newest version

    def is_visible_to(self, workspace: str) -> bool:
        return (
            workspace == self.publisher
            or self.visibility == "public"
            or (self.visibility == "group" and workspace in self.workspaces)
        )

    @property
    def newest(self) -> Published:
        return self.versions[-1]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A version that somebody wants to publish. Empty fields mean: as before, or the default."""

    publisher: str
    asset: str
    release: str
    title: str = ""
    version: str = ""
    notes: str = ""
    visibility: str = ""
    workspaces: tuple[str, ...] = ()
    agreements: tuple[Agreement, ...] = ()


def _evolve(state: AssetState | None, event: Event, at: datetime) -> AssetState:
    match state, event:
        case _, AssetPublished():
            before = state or AssetState(publisher=event.publisher, asset=event.asset)
            published = Published(
                version=event.version,
                release=event.release,
                notes=event.notes,
                at=at,
            )
            return msgspec.structs.replace(
                before,
                title=event.title,
                versions=(*before.versions, published),
                agreements=event.agreements,
            )
        case AssetState(), AssetVisibilityChanged():
            return msgspec.structs.replace(state, visibility=event.visibility, workspaces=event.workspaces)
        case _:
            raise misplaced(state, event)


evolve = folding(_evolve)


def digests(agreements: Sequence[Agreement]) -> dict[str, str]:
    """The digest of each text by its name: what a subscriber accepts."""
    return {one.name: releases.digest(one.text.encode()) for one in agreements}


def publish(state: AssetState | None, draft: Draft, *, default_title: str = "") -> Sequence[Event]:
    """The next version. A version that names no agreements keeps those of the version before it."""
    _check_agreements(draft.agreements)
    newest = versions.parse(state.newest.version) if state else None
    published = AssetPublished(
        publisher=draft.publisher,
        asset=draft.asset,
        title=draft.title or (state.title if state else default_title),
        version=str(versions.following(newest, draft.version)),
        release=draft.release,
        notes=draft.notes,
        agreements=draft.agreements or (state.agreements if state else ()),
    )
    if not draft.visibility:
        if draft.workspaces:
            raise _illegal_visibility("workspaces are listed, but no visibility is named")
        return [published]
    before = state or AssetState(publisher=draft.publisher, asset=draft.asset)
    return [published, *set_visibility(before, draft.visibility, draft.workspaces)]


def set_visibility(state: AssetState, visibility: str, workspaces: Sequence[str]) -> Sequence[Event]:
    if visibility not in VISIBILITIES:
        raise _illegal_visibility(f"{visibility[:80]!r} is none of {', '.join(VISIBILITIES)}")
    if visibility == "group" and not 0 < len(workspaces) <= GROUP_LIMIT:
        raise _illegal_visibility(f"a group lists 1 to {GROUP_LIMIT} workspaces, not {len(workspaces)}")
    if visibility != "group" and workspaces:
        raise _illegal_visibility(f"{visibility} lists no workspaces; group does")
    listed = tuple(sorted({names.workspace(one) for one in workspaces}))
    if (state.visibility, state.workspaces) == (visibility, listed):
        return []
    return [AssetVisibilityChanged(visibility=visibility, workspaces=listed)]


def require_visible(state: AssetState | None, publisher: str, asset: str, workspace: str) -> AssetState:
    """The asset as `workspace` may see it. What it may not see is not there."""
    if state is None or not state.is_visible_to(workspace):
        raise FoldlineError(
            Kind.NOT_FOUND,
            "ASSET_NOT_FOUND",
            f"the gallery has no asset {publisher}/{asset}",
            publisher=publisher,
            asset=asset,
        )
    return state


def require_version(state: AssetState, version: str) -> Published:
    """The version asked for, the newest for "". Raises VERSION_NOT_FOUND."""
    if not version:
        return state.newest
    wanted = str(versions.parse(version))
    for one in state.versions:
        if one.version == wanted:
            return one
    known = ", ".join(one.version for one in reversed(state.versions[-10:]))
    raise FoldlineError(
        Kind.NOT_FOUND,
        "VERSION_NOT_FOUND",
        f"asset {state.publisher}/{state.asset} has no version {wanted}; the newest are {known}",
        asset=f"{state.publisher}/{state.asset}",
        version=wanted,
    )


def _check_agreements(agreements: Sequence[Agreement]) -> None:
    for name, count in Counter(names.agreement(one.name) for one in agreements).items():
        if count > 1:
            raise _illegal_agreement(name, "the name is used twice")
    for one in agreements:
        if not one.text.strip():
            raise _illegal_agreement(one.name, "there is no text to accept")
    if sum(len(one.text.encode()) for one in agreements) > AGREEMENTS_LIMIT_BYTES:
        raise _illegal_agreement(
            agreements[0].name, f"all texts together have more than {AGREEMENTS_LIMIT_BYTES} bytes"
        )


def _illegal_agreement(name: str, rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_AGREEMENT", f"agreement {name}: {rule}", agreement=name)


def _illegal_visibility(rule: str) -> FoldlineError:
    return FoldlineError(Kind.INVALID, "ILLEGAL_VISIBILITY", f"visibility: {rule}", rule=rule)
