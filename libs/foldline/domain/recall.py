"""Is an equal attempt known, and if not, what differs? Answers to `run.recallable` in runs made from others.

A run with an origin may take over whatever an equal attempt of its lineage gave: the origin, what that was
made from in turn, and for a step with a body that is tried again the earlier attempts of the same run.
Whoever carries a run out loads these runs with the runs inside them (`lineage`, `borrowed`), makes an `index`
of them, and answers every recallable step with `recall`. Equal means: the same key (`keys`), nothing else; so
an index that lacks runs costs work and never gives a wrong result.

Which runs say what: see docs/adr/0009.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import UNSET, Struct

from foldline.domain import paths
from foldline.domain.commands import Recall
from foldline.domain.differences import differences
from foldline.domain.inner import root_id
from foldline.domain.keys import key_of, parts_of
from foldline.domain.relations import Reuse
from foldline.domain.run import RunState, StepState
from foldline.domain.run_events import RunCreated
from foldline.domain.values import Unresolvable


class Found(Struct, frozen=True):
    """A successful attempt, or an answer: where it was recorded, and what it gave."""

    reuse: Reuse
    path: str
    state: RunState
    step: str

    @property
    def root(self) -> str:
        """The run whose own work it was."""
        return root_id(self.reuse.run_id)


class Earlier(Struct, frozen=True):
    """What the step of a path did, newest first."""

    state: RunState
    step: StepState
    has_started: bool  # an attempt of it, in any of the runs


class Index(Struct, frozen=True):
    """What a lineage of runs did. Later ones of the same place come before earlier ones."""

    equal: dict[str, dict[str, Found]]  # by key, then by root run, the nearest last
    same_place: dict[tuple[str, str], Found]  # by key and path
    earlier: dict[str, Earlier]  # by path
    failed: frozenset[str]  # keys of attempts that were started and did not succeed
    borrowed: frozenset[str]  # paths of steps with a body that were taken over from another place


# -- which runs ------------------------------------------------------------------------------------


def lineage(created: RunCreated) -> tuple[str, ...]:
    """Ids of the runs to look into, with all the runs inside them; theirs follow (`lineage` of each)."""
    own = root_id(created.run_id)
    found = [] if created.origin is UNSET else [created.origin.run_id]
    if any(attempt > 1 for attempt in paths.attempts_of(created.run_id)) and own not in found:
        found.append(own)
    return tuple(found)


def borrowed(state: RunState) -> tuple[str, ...]:
    """Beginnings of the ids of other runs' inner runs that this run took over as a whole."""
    return tuple(
        f"{reuse.run_id}.{reuse.step}.{reuse.attempt}."
        for step in state.steps
        if step.reused_from and state.plan.step(step.name).body is not UNSET
        for reuse in [_source(step)]
        if reuse.attempt
    )


# -- the index -------------------------------------------------------------------------------------


def index(states: Iterable[RunState]) -> Index:
    """The index of runs and the runs inside them, in any order. Linear in their steps."""
    ordered = _oldest_first(list(states))
    flawed = set(_flawed(ordered))
    equal: dict[str, dict[str, Found]] = {}
    same_place: dict[tuple[str, str], Found] = {}
    earlier: dict[str, Earlier] = {}
    failed: set[str] = set()
    elsewhere: set[str] = set()
    for state in ordered:
        for step in state.steps:
            path = paths.path_of(state.created.run_id, step.name)
            earlier[path] = _earlier(earlier.get(path), state, step)
            if _is_borrowed(state, step, path):
                elsewhere.add(path)
            key = _key(state, step)
            if not key:
                continue
            if step.status != "completed":
                failed.add(key)
            elif (state.created.run_id, step.name, len(step.attempts)) not in flawed:
                found = Found(_reuse(state, step), path, state, step.name)
                by_root = equal.setdefault(key, {})
                by_root.pop(found.root, None)  # the newest one last
                by_root[found.root] = found
                same_place[key, path] = found
    return Index(equal, same_place, earlier, frozenset(failed), frozenset(elsewhere))


def _oldest_first(states: list[RunState]) -> list[RunState]:
    """Origins before what was made from them, and earlier attempts before later ones."""
    roots = {state.created.run_id: state.created for state in states if not state.is_part}

    def rank(root: str) -> int:
        seen: list[str] = []
        while root in roots and root not in seen:
            seen.append(root)
            origin = roots[root].origin
            root = "" if origin is UNSET else origin.run_id
        return len(seen)

    ranks = {root: rank(root) for root in {root_id(state.created.run_id) for state in states}}
    return sorted(
        states,
        key=lambda one: (ranks[root_id(one.created.run_id)], paths.attempts_of(one.created.run_id)),
    )


def _flawed(states: list[RunState]) -> Iterator[tuple[str, str, int]]:
    """Attempts of steps with a body that completed although not all inside did: items that failed and were
    tolerated, questions nobody answered. They give this again only where that goes wrong again."""
    for state in states:
        for step in state.steps:
            if step.children is not None and step.children.failed:
                yield state.created.run_id, step.name, len(step.attempts)
            if step.status == "failed" or step.skipped_for == "deadline":
                yield from paths.around(state.created.run_id)


def _key(state: RunState, step: StepState) -> str:
    """The key of what the step did; empty where it did nothing that another may count on."""
    if state.plan.step(step.name).handles or step.kind == "condition":
        return ""
    if step.reused_from and step.status == "completed":
        return step.reuse_key  # none where its outputs were given
    if not step.attempts and (step.kind != "wait" or step.status != "completed"):
        return ""
    try:
        return key_of(state, step.name)
    except Unresolvable:
        return ""  # it began without all of it: it fails


def _reuse(state: RunState, step: StepState) -> Reuse:
    if step.reused_from:
        return _source(step)
    return Reuse(
        run_id=state.created.run_id,
        step=step.name,
        attempt=len(step.attempts),
        outputs=step.outputs,
        metrics=step.metrics,
    )


def _source(step: StepState) -> Reuse:
    run_id, name, attempt = step.reused_from.split("/")
    return Reuse(run_id=run_id, step=name, attempt=int(attempt), outputs=step.outputs, metrics=step.metrics)


def _is_borrowed(state: RunState, step: StepState, path: str) -> bool:
    if not step.reused_from or state.plan.step(step.name).body is UNSET:
        return False
    reuse = _source(step)
    return bool(reuse.run_id) and paths.path_of(reuse.run_id, reuse.step) != path


def _earlier(before: Earlier | None, state: RunState, step: StepState) -> Earlier:
    """What is told of a path: the newest that has something to tell."""
    was_held = step.failure is not None and step.failure.reason == "RAN_BEFORE"
    started = bool(step.attempts) or bool(step.reuse_key and step.reused_from) or was_held
    if before is None:
        return Earlier(state, step, started)
    started = started or before.has_started
    if step.attempts or step.reused_from or step.status in ("completed", "skipped"):
        return Earlier(state, step, started)
    return Earlier(before.state, before.step, started)


# -- the answer ------------------------------------------------------------------------------------


def recall(state: RunState, name: str, known: Index) -> Recall:
    """The answer for a step of a run with an origin: what to take over, or why it runs, or may not."""
    assert state.created.origin is not UNSET, "only such runs ask"
    origin = state.created.origin
    try:
        key = key_of(state, name)
    except Unresolvable as error:
        return Recall(step=name, key="", reason=error.message)
    declared = state.plan.step(name)
    path = paths.path_of(state.created.run_id, name)
    again = paths.inside(origin.again, name)
    found = None
    if not declared.handles:
        found = _find(known, key, path, root_id(state.created.run_id) if again else "")
    if found is not None:
        return Recall(step=name, key=key, reason=_taken(found, path), reuse=found.reuse)
    reason = _asked(again) if again else _why(state, name, path, known)
    if declared.effects == "unsafe" and not paths.names(origin.allow, name) and has_run(known, path, key):
        return Recall(step=name, key=key, reason=_hold(path, reason), is_unsafe=True)
    return Recall(step=name, key=key, reason=reason)


def has_run(known: Index, path: str, key: str) -> bool:
    """May an attempt of the step, or one equal to it, have had its effect already?"""
    at_place = known.earlier.get(path)
    if at_place is not None and at_place.has_started:
        return True
    return (
        key in known.equal or key in known.failed or any(one in known.borrowed for one in paths.parents(path))
    )


def _find(known: Index, key: str, path: str, root: str) -> Found | None:
    """An equal attempt, of the same place where there is one; of the run `root` alone if that is given."""
    same = known.same_place.get((key, path))
    if same is not None and root in ("", same.root):
        return same
    by_root = known.equal.get(key)
    if not by_root:
        return None
    return by_root.get(root) if root else next(reversed(by_root.values()))


def _taken(found: Found, path: str) -> str:
    place = "" if found.path == path else f", step {paths.shown(found.path)}"
    if not found.reuse.attempt:
        return f"answered in run {found.root}"
    return f"equal attempt in run {found.root}{place}"


def _asked(again: tuple[str, ...]) -> str:
    if paths.ALL in again:
        return "asked to run again"
    return f"asked to run again inside it: {', '.join(again)}"


def _why(state: RunState, name: str, path: str, known: Index) -> str:
    """Why nothing equal is known: what the step of the same path did, and what differs from that."""
    before = known.earlier.get(path)
    assert state.created.origin is not UNSET
    if before is None:
        return f"there is no such step in run {state.created.origin.run_id}"
    run_id = root_id(before.state.created.run_id)
    if state.plan.step(name).handles:
        return "handlers run anew"
    if before.step.status == "skipped":
        return f"it was skipped in run {run_id}"
    if not (before.step.attempts or before.step.reused_from or before.step.status == "completed"):
        return f"it did not run in run {run_id}"
    try:
        clauses = differences(parts_of(before.state, before.step.name), parts_of(state, name))
    except Unresolvable:
        clauses = []
    if clauses:
        only_inputs = all(one.startswith("input ") for one in clauses)
        return ("no earlier attempt with these inputs: " if only_inputs else "") + "; ".join(clauses)
    if before.step.reused_from and not before.step.reuse_key:
        return f"its outputs were given in run {run_id}"
    if before.step.status == "completed":
        return f"not all inside it succeeded in run {run_id}"
    failure = before.step.failure
    return f"it had failed in run {run_id}{': ' if failure else ''}{failure.message if failure else ''}"


def _hold(path: str, reason: str) -> str:
    name = paths.shown(path)
    return (
        f"unsafe to run again, and it has run before ({reason}); retry step {name} by name to let it run, or "
        f"fork with --allow {name}"
    )
