"""Errors as people and scripts meet them: one line, a hint what to do next, an exit code."""

from __future__ import annotations

from collections.abc import Mapping

from foldline.domain.errors import FoldlineError, Kind

OK = 0
RUN_FAILED = 1
USAGE = 2
RUN_STOPPED = 3
REFUSED = 4
UNAVAILABLE = 5
INTERNAL = 70
INTERRUPTED = 130

BY_STATUS: Mapping[str, int] = {"completed": OK, "failed": RUN_FAILED, "stopped": RUN_STOPPED}
"""Exit code of a command that waited for a run, by the run's final status."""

_BY_KIND: Mapping[Kind, int] = {
    Kind.INVALID: USAGE,
    Kind.OUT_OF_RANGE: USAGE,
    Kind.NOT_FOUND: REFUSED,
    Kind.ALREADY_EXISTS: REFUSED,
    Kind.CONFLICT: REFUSED,
    Kind.PRECONDITION: REFUSED,
    Kind.EXHAUSTED: UNAVAILABLE,
    Kind.UNAUTHENTICATED: REFUSED,
    Kind.FORBIDDEN: REFUSED,
    Kind.UNAVAILABLE: UNAVAILABLE,
    Kind.INTERNAL: INTERNAL,
}

_HINTS: Mapping[str, str] = {
    "NO_SERVER": "start an installation with `foldline up`, or name one with --server",
    "NO_TOKEN": "give --token or set FOLDLINE_TOKEN; `foldline token create` makes one",
    "UNAVAILABLE": "is the installation running? `foldline status` tells; `foldline up` starts one here",
    "INVALID_PARAMETERS": "`foldline configure WORKFLOW` shows the parameters and their values",
    "PARAMETERS_MISSING": "set them with `foldline configure WORKFLOW --set name=value`",
    "UNKNOWN_STEP": "`foldline show RUN` lists the steps",
    "RUN_ENDED": "`foldline show RUN` has its record; `foldline rerun RUN` makes a new run from it",
    "NOT_RETRYABLE": "`foldline show RUN` tells how the steps are",
    "NOTHING_TO_RETRY": "`foldline rerun RUN --from STEP` makes a new run in which a step runs again",
    "UNSAFE_STEP": "`foldline retry RUN STEP` lets an unsafe step run again",
    "NOT_ASKING": "`foldline todos` lists what waits for an answer",
    "NO_QUESTION": "`foldline todos` lists what waits for an answer",
    "NOT_ASKED": "only the person who is asked may answer",
    "NOBODY_WAITS": "`foldline why-waiting RUN` tells what the run waits for",
    "VALUE_GIVEN": "`foldline retry RUN STEP --set name=value` changes it for a step that is retried",
    "RUN_ID_AMBIGUOUS": "give more of the id; `foldline runs` has whole ones",
    "TOO_MANY_RUNS": "wait until runs have ended (`foldline runs --status running`), or stop some",
    "NO_SUCH_VERSION": "`foldline history RUN` numbers the events",
    "STEP_HAS_NO_LOG": "`foldline show RUN` tells which steps were started",
    "VERSION_NOT_HIGHER": "leave --version out to get the next patch version",
    "ILLEGAL_CRON": "write minute hour day month weekday, or six fields with seconds first",
    "SEVERAL_WORKFLOWS": "choose one with --workflow",
    "IMPORT_FAILED": "run the command in an environment that has what the file imports at its top",
}

_HINTS_BY_KIND: Mapping[Kind, str] = {
    Kind.UNAUTHENTICATED: "the token is wrong or has expired; `foldline token create` makes a new one",
    Kind.FORBIDDEN: "ask an admin of the workspace for a token with a higher role",
    Kind.UNAVAILABLE: "try again in a moment; `foldline status` tells what is running",
    Kind.EXHAUSTED: "nothing was done, for there is too much to do at the moment: try again later",
    Kind.CONFLICT: "somebody changed the same thing at the same time; try again",
    Kind.INTERNAL: "this is a fault of Foldline; the service's log has the details",
}

_HINTS_BY_WORD: Mapping[str, str] = {
    "AGREEMENT": "`foldline gallery show PUBLISHER/ASSET` has the texts; accept with --accept NAME",
    "SUBSCRI": "`foldline gallery subscribe PUBLISHER/ASSET` subscribes",
    "ASSET": "`foldline gallery list` shows what this workspace may see",
    "SCHEDULE": "`foldline schedule list` lists the schedules of the workspace",
    "TRIGGER": "`foldline trigger list` lists the triggers of the workspace",
    "BACKFILL": "`foldline schedule show SCHEDULE` lists the backfills that go on",
    "WORKFLOW": "`foldline workflows` lists the workflows of the workspace",
    "WORKSPACE": "`foldline workspace list` lists the workspaces; choose one with -w",
    "RUN": "`foldline runs` lists the runs of the workspace",
}


def exit_code(error: FoldlineError) -> int:
    return _BY_KIND[error.kind]


def hint(error: FoldlineError) -> str:
    """What to do next; empty where the message says it all."""
    if error.reason in _HINTS:
        return _HINTS[error.reason]
    if error.kind is Kind.NOT_FOUND or error.kind is Kind.PRECONDITION:
        return next((text for word, text in _HINTS_BY_WORD.items() if word in error.reason), "")
    return _HINTS_BY_KIND.get(error.kind, "")


def lines(error: FoldlineError) -> list[str]:
    """The error as printed."""
    found = [f"error: {error.message} ({error.reason})"]
    if text := hint(error):
        found.append(f"hint: {text}")
    return found
