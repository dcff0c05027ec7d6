"""Why an attempt has failed, where it has not said so itself: its limits, signals, exit codes."""

from __future__ import annotations

import signal

from foldline.runtime.failures import signal_name
from foldline.runtime.jobs import Job, StepFailure

STOPPED = StepFailure(kind="stopped", reason="STEP_STOPPED", message="the step was stopped")


def timed_out(job: Job, state: str) -> StepFailure:
    message = f"{state} after {job.run_seconds:g} s, the step's time limit"
    return StepFailure(kind="timeout", reason="STEP_TIMED_OUT", message=message)


def silent(job: Job) -> StepFailure:
    message = f"it was silent for {job.silence_seconds:g} s: no output, progress, metric or checkpoint"
    return StepFailure(kind="timeout", reason="STEP_SILENT", message=message)


def lost(message: str) -> StepFailure:
    return StepFailure(kind="infrastructure", reason="STEP_PROCESS_LOST", message=message)


def out_of_memory(limit: int) -> StepFailure:
    asked = f"; it had asked for {amount(limit)}" if limit else ""
    message = f"the kernel killed the step's process because memory ran out{asked}"
    return StepFailure(kind="user", reason="MEMORY_EXCEEDED", message=message, signal=signal.SIGKILL)


def memory_exceeded(limit: int, taken: int) -> StepFailure:
    message = f"it took {amount(taken)} of memory; the step's limit is {amount(limit)}"
    return StepFailure(kind="user", reason="MEMORY_EXCEEDED", message=message)


def disk_exceeded(limit: int, taken: int) -> StepFailure:
    message = f"its outputs and its folder took {amount(taken)}; the step's limit on disk is {amount(limit)}"
    return StepFailure(kind="user", reason="DISK_EXCEEDED", message=message)


def file_too_big(limit: int) -> StepFailure:
    message = f"it wrote a file of more than {amount(limit)}, the step's limit on disk"
    return StepFailure(kind="user", reason="DISK_EXCEEDED", message=message)


def processes_exceeded(limit: int) -> StepFailure:
    message = f"it had more than {limit} processes at once, the limit of a step"
    return StepFailure(kind="user", reason="PROCESSES_EXCEEDED", message=message)


def ended_by_itself(status: int) -> StepFailure:
    """Of a function's process: a negative status is a signal."""
    if status < 0:
        hint = "; the kernel does this when memory runs out" if -status == signal.SIGKILL else ""
        return _killed(f"the step's process was killed by {signal_name(-status)}{hint}", -status)
    return _exited(f"the step's process exited with code {status} before its function returned", status)


def program_ended(status: int) -> StepFailure:
    """Of a program, wherever it ran."""
    if status < 0:
        return _killed(f"the program was killed by {signal_name(-status)}", -status)
    return _exited(f"the program exited with code {status}", status)


def is_kill(failure: StepFailure) -> bool:
    """Was it SIGKILL that ended the program, or what a shell had started in its place?"""
    return failure.signal == signal.SIGKILL or (
        failure.reason == "STEP_EXITED" and failure.exit_code == 128 + signal.SIGKILL
    )


def _killed(message: str, number: int) -> StepFailure:
    return StepFailure(kind="user", reason="STEP_KILLED", message=message, signal=number)


def _exited(message: str, code: int) -> StepFailure:
    if code > 128:
        message += f" (128 + {code - 128}: {signal_name(code - 128)} in a shell's way of counting)"
    return StepFailure(kind="user", reason="STEP_EXITED", message=message, exit_code=code)


def amount(number: int) -> str:
    """Bytes as people write them."""
    size = float(number)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"
