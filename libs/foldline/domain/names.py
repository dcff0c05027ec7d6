"""The rules of names: who may be called what, and the one sentence that tells a person so.

A name becomes part of a stream's name, a NATS subject and a path in the object store. So none may hold a
dot, a slash, a space or a wildcard; `domain.dag` has the rule for everything inside a graph.
"""

from __future__ import annotations

import re

from foldline.domain.checks import NAME, NAME_RULE
from foldline.domain.errors import FoldlineError, Kind

SLUG = re.compile(r"[a-z][a-z0-9-]{0,63}")
SLUG_RULE = "1 to 64 characters, a lower-case letter first, then lower-case letters, digits or '-'"

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
DIGEST_RULE = "'sha256:' and 64 lower-case hexadecimal digits"

SUBJECT = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,198}[^\s\x00-\x1f\x7f])?")
SUBJECT_RULE = "1 to 200 characters without control characters, no space at either end"


def workspace(name: str) -> str:
    """`name` where it may name a workspace. Raises ILLEGAL_NAME, as all functions here do."""
    return _matching(SLUG, SLUG_RULE, "workspace", name)


def region(name: str) -> str:
    return _matching(SLUG, SLUG_RULE, "region", name)


def workflow(name: str) -> str:
    return _matching(NAME, NAME_RULE, "workflow", name)


def asset(name: str) -> str:
    return _matching(NAME, NAME_RULE, "asset", name)


def agreement(name: str) -> str:
    return _matching(NAME, NAME_RULE, "agreement", name)


def schedule(name: str) -> str:
    return _matching(NAME, NAME_RULE, "schedule", name)


def trigger(name: str) -> str:
    return _matching(NAME, NAME_RULE, "trigger", name)


def digest(text: str) -> str:
    return _matching(DIGEST, DIGEST_RULE, "release", text)


def subject(text: str) -> str:
    """Whom a token is for: shown to people, never part of a path."""
    return _matching(SUBJECT, SUBJECT_RULE, "subject", text)


def _matching(pattern: re.Pattern[str], rule: str, what: str, name: str) -> str:
    if pattern.fullmatch(name):
        return name
    shown = name if len(name) <= 80 else f"{name[:80]}…"
    raise FoldlineError(
        Kind.INVALID, "ILLEGAL_NAME", f"{what} {shown!r}: a name has {rule}", **{what: shown, "rule": rule}
    )
