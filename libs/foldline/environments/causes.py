"""Why uv could not do it, in a sentence that names the requirement and says what to do next.

uv tells people and not programs, so its words are looked at. What nobody here knows keeps uv's own words and
counts as the machine's trouble, which another try may get over.

Kinds: INVALID is the release's fault (or its lock's, on this platform) and the same the next time;
UNAVAILABLE is this machine, its disk or its index.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from foldline.domain.errors import FoldlineError, Kind

_QUOTE_LIMIT = 600
_WORDS_LIMIT = 6000


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    kind: Kind
    reason: str
    sentence: str
    """{name} is what the pattern's group of that name found."""


def _rule(pattern: str, kind: Kind, reason: str, sentence: str) -> _Rule:
    return _Rule(re.compile(pattern, re.DOTALL), kind, reason, sentence)


_RULES = (
    _rule(
        r"No space left on device|os error 28|[Dd]isk quota exceeded",
        Kind.UNAVAILABLE,
        "DISK_FULL",
        "the disk is full; free some of it, or have fewer environments kept (FOLDLINE_KEEP_ENVIRONMENTS)",
    ),
    _rule(
        r"Hash mismatch for `(?P<what>[^`]+)`",
        Kind.INVALID,
        "HASH_MISMATCH",
        "the package index serves {what} with other content than was locked; make a new release, unless the "
        "index itself is not to be trusted",
    ),
    _rule(
        r"network (?:was|is|connectivity is) disabled",
        Kind.UNAVAILABLE,
        "INDEX_UNREACHABLE",
        "not all packages are in uv's cache, and uv is told to work offline; unset UV_OFFLINE, or fill "
        "the cache first",
    ),
    _rule(
        r"Failed to (?:fetch|download)[:\s]+`?(?P<what>[^`\s]+)"
        r".*?(?:Connect|timed out|dns|HTTP status|tls|certificate)"
        r"|(?:Could not connect|error sending request)[^\n]*?(?P<other>https?://[^\s`)]+)",
        Kind.UNAVAILABLE,
        "INDEX_UNREACHABLE",
        "the package index does not answer ({what}); it is asked again with the next attempt",
    ),
    _rule(
        r"An index(?: URL)? \((?P<what>[^)]+)\) (?:could not be queried|returned a 40[13])",
        Kind.UNAVAILABLE,
        "INDEX_REFUSES",
        "the package index {what} refuses access; give this machine the credentials for it, in pip's "
        "configuration or uv's",
    ),
    _rule(
        r"(?P<what>[\w.\-\[\]]+(?:[=<>!~]=?[\w.*]+)?) has no (?:usable )?(?:wheels|`[^`]+` wheels|source)"
        r"|Distribution `(?P<other>[^`@ ]+)[^`]*` can't be installed because it doesn't have a source",
        Kind.INVALID,
        "NOT_FOR_THIS_PLATFORM",
        "{what} has no wheel for the platform and Python of this machine, and no source to build one from; "
        "require a version that has, leave it out here with a marker, or send the step to another pool",
    ),
    _rule(
        r"Failed to build `(?P<what>[^`]+)`",
        Kind.INVALID,
        "PACKAGE_NOT_BUILT",
        "{what} has no wheel for this machine, and building it from its source failed; require a version "
        "with a wheel, or install on this machine what the build needs",
    ),
    _rule(
        r"(?:Because )?(?P<what>[\w.\-\[\]]+) (?:was not found in|is not found in)"
        r"|there (?:is no version|are no versions) of (?P<other>[^\s,]+)",
        Kind.INVALID,
        "PACKAGE_NOT_FOUND",
        "no package index of this machine has {what}; correct the requirement, or add the index that has it "
        "to pip's configuration or uv's",
    ),
    _rule(
        r"Couldn't parse requirement[^\n]*\n.*?\n\s+(?P<what>[^\n]+)\n",
        Kind.INVALID,
        "REQUIREMENT_NOT_READABLE",
        "{what!r} is no requirement; one reads like numpy>=2,<3",
    ),
    _rule(
        r"you require (?P<what>[^\s,]+).*?unsatisfiable",
        Kind.INVALID,
        "REQUIREMENTS_CONFLICT",
        "the requirements exclude each other; loosen {what} or what it conflicts with",
    ),
)


def explained(doing: str, words: str, *, has_log: bool) -> FoldlineError:
    """`doing` is what failed; with `has_log`, people find all of uv's words elsewhere."""
    for rule in _RULES:
        if found := rule.pattern.search(words):
            named = found.groupdict()
            what = (named.get("what") or named.get("other") or "").rstrip(".,;")
            message = f"{doing}: {rule.sentence.format(what=what)}"
            return FoldlineError(rule.kind, rule.reason, f"{message}. uv says: {_said(words, has_log)}")
    message = f"{doing}. uv says: {_said(words, has_log)}"
    return FoldlineError(Kind.UNAVAILABLE, "ENVIRONMENT_FAILED", message)


def _said(words: str, has_log: bool) -> str:
    """Its errors and their causes, without the progress before them."""
    start = re.search(r"^(?:error|  ?cause|  [×x]):? ", words, re.MULTILINE)
    words = words[start.start() :].strip() if start else words.strip()
    if not has_log:
        return words[-_WORDS_LIMIT:]
    short = " ".join(words.split())
    return short if len(short) <= _QUOTE_LIMIT else f"{short[:_QUOTE_LIMIT]} …"
