"""From an exception in a step's process to the record of it: class, message, the author's frames."""

from __future__ import annotations

import errno
import signal
import traceback
from pathlib import Path
from types import TracebackType

from foldline.runtime.jobs import TRACEBACK_LIMIT, StepFailure

_OURS = tuple(str(Path(__file__).parents[1] / part) for part in ("runtime", "sdk"))
_MESSAGE_LIMIT = 2000


class StepError(Exception):
    """An outcome of a step that is a failure without any exception of the author's."""

    def __init__(self, kind: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.failure = StepFailure(kind=kind, reason=reason, message=message)


def is_disk_full(error: BaseException | None) -> bool:
    """Also by a quota, or by a limit on the length of files (`ulimit -f`) that the machine's owner set."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def raised(error: BaseException, *, during: str = "") -> StepFailure:
    """The failure of a step whose function raised `error`."""
    if is_disk_full(error) or is_disk_full(error.__cause__):
        sentence = _sentence(error, during)
        return StepFailure(
            kind="infrastructure",
            reason="DISK_FULL",
            message=_cut(f"the disk of the executor's machine was full while the step ran: {sentence}"),
            error_class=class_name(error),
            traceback=trace(error),
        )
    if isinstance(error, MemoryError):
        return StepFailure(
            kind="user",
            reason="MEMORY_EXCEEDED",
            message=_cut(f"the step could get no more memory: {_sentence(error, during)}"),
            error_class=class_name(error),
            traceback=trace(error),
        )
    return StepFailure(
        kind="user",
        reason="STEP_RAISED",
        message=_sentence(error, during),
        error_class=class_name(error),
        traceback=trace(error),
    )


def import_failed(module: str, error: BaseException) -> StepFailure:
    return StepFailure(
        kind="user",
        reason="STEP_IMPORT_FAILED",
        message=_cut(f"module {module} could not be imported: {_sentence(error, '')}"),
        error_class=class_name(error),
        traceback=trace(error),
    )


def signal_name(number: int) -> str:
    """As people write it: signal 9 (SIGKILL)."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def class_name(error: BaseException) -> str:
    """As people write it: ValueError, but mylib.errors.Broken."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def trace(error: BaseException) -> str:
    """The traceback without frames of the platform or of the import machinery, cut from the top."""
    lines = traceback.format_exception(type(error), error, _first_of_author(error.__traceback__))
    text = "".join(lines)
    encoded = text.encode(errors="backslashreplace")
    if len(encoded) <= TRACEBACK_LIMIT:
        return text
    return "[cut]\n" + encoded[-TRACEBACK_LIMIT + 6 :].decode(errors="ignore")


def _first_of_author(top: TracebackType | None) -> TracebackType | None:
    while top is not None and _is_ours(top.tb_frame.f_code.co_filename):
        top = top.tb_next
    return top


def _is_ours(filename: str) -> bool:
    return filename.startswith((*_OURS, "<frozen importlib", "<string>")) or "/importlib/" in filename


def _sentence(error: BaseException, during: str) -> str:
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - the author's __str__ may do anything
        text = f"(its message raised {type(broken).__name__})"
    name = class_name(error)
    prefix = f"{during}: " if during else ""
    return _cut(f"{prefix}{name}: {text}" if text else f"{prefix}{name}")


def _cut(text: str) -> str:
    return text if len(text) <= _MESSAGE_LIMIT else text[:_MESSAGE_LIMIT] + " … [cut]"
