"""From requirements to a lock: every package with one version and its hashes, and no index host."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from foldline.domain.errors import FoldlineError, Kind
from foldline.environments import uv


def lock(requirements: Sequence[str], python: str) -> str:
    """The text of a requirements.txt for that Python (major.minor) on this platform; "" for no requirements.

    Raises INVALID REQUIREMENTS_UNSOLVABLE with uv's explanation.
    """
    wanted = [line for line in requirements if line.strip()]
    if not wanted:
        return ""
    arguments = ["pip", "compile", "-", "--python", sys.executable, "--python-version", python]
    options = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-package=pip", "--quiet"]
    try:
        return uv.choose([*arguments, *options], text="\n".join(wanted) + "\n")
    except uv.UvFailed as error:
        message = f"the requirements {', '.join(wanted)} cannot be locked for Python {python}: {error}"
        raise FoldlineError(Kind.INVALID, "REQUIREMENTS_UNSOLVABLE", message) from error
