"""From requirements to a lock: every package with one version and its hashes, and no index host."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from foldline.domain.errors import FoldlineError
from foldline.environments import causes, interpreters, uv


def lock(requirements: Sequence[str], python: str) -> str:
    """The text of a requirements.txt for that Python (major.minor) on this platform; "" for no requirements.

    Raises NO_SUCH_PYTHON, and what `causes` makes of uv's explanation, with all of it.
    """
    interpreters.check(python)
    wanted = [line for line in requirements if line.strip()]
    if not wanted:
        return ""
    arguments = ["pip", "compile", "-", "--python", str(_interpreter(python)), "--python-version", python]
    options = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-package=pip", "--quiet"]
    try:
        return uv.choose([*arguments, *options], text="\n".join(wanted) + "\n")
    except uv.UvFailed as error:
        doing = f"the requirements {', '.join(wanted)} cannot be locked for Python {python}"
        raise causes.explained(doing, str(error), has_log=False) from error


def _interpreter(python: str) -> Path:
    """Who builds what has no wheel, to learn what it requires. The one of that version where there is one."""
    try:
        return interpreters.find(python).path
    except FoldlineError:
        return Path(sys.executable)
