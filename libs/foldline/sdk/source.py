"""Author's files: importing one, and finding the workflows that it declares."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from foldline.sdk import graphs
from foldline.sdk.problems import AuthoringError, Problem, Site
from foldline.sdk.workflows import Workflow

Declared = Workflow[..., Any]


def load(file: Path) -> ModuleType:
    """Import `file` as the module that an executor will import: named like the file, from its folder.

    Raises AuthoringError naming the line that failed.
    """
    file = file.resolve()
    if not file.is_file():
        raise _error("NO_FILE", f"{file} is not a file", Site("", 0))
    if file.suffix != ".py" or not file.stem.isidentifier():
        message = f"{file.name} cannot be imported; name it like a Python module, e.g. digits.py"
        raise _error("ILLEGAL_FILE_NAME", message, Site("", 0))
    known = sys.modules.get(file.stem)
    if known is not None and getattr(known, "__file__", None) != str(file):
        if not _is_replaceable(known):
            message = f"{file.name} has the name of the module {known.__name__}; rename the file"
            raise _error("ILLEGAL_FILE_NAME", message, Site(str(file), 0))
        del sys.modules[file.stem]
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(file.stem)
    except AuthoringError:
        raise
    except Exception as error:  # the author's module may raise anything
        raise _error("IMPORT_FAILED", _explain(error), _failed_at(error, file)) from error


def workflows(module: ModuleType) -> list[Declared]:
    """The workflows that the module declares or imports, in the order of their lines."""
    found = {id(value): value for value in vars(module).values() if isinstance(value, Workflow)}
    return sorted(found.values(), key=lambda one: (one.site.file != module.__file__, one.site.line))


def workflow(file: Path, name: str = "") -> Declared:
    """The workflow called `name` in `file`; without a name the only one that no other one uses.

    Raises AuthoringError.
    """
    found = workflows(load(file))
    if name:
        found = [one for one in found if one.name == name] or _none(file, name, found)
    if not found:
        _none(file, name, found)
    if len(found) > 1:
        found = graphs.outermost(found) or found
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        message = f"declares several workflows ({names}); choose one with --workflow"
        raise _error("SEVERAL_WORKFLOWS", message, Site(str(file), 0))
    return found[0]


def _none(file: Path, name: str, found: list[Declared]) -> list[Declared]:
    names = ", ".join(one.name for one in found) or "none"
    message = (
        f"declares no workflow {name}; it has: {names}" if name else "declares no workflow (@fl.workflow)"
    )
    raise _error("NO_WORKFLOW", message, Site(str(file), 0))


def _is_replaceable(module: ModuleType) -> bool:
    """A module that an earlier `load` imported from another folder (tests, notebooks)."""
    return any(isinstance(value, Workflow) for value in vars(module).values())


def _explain(error: Exception) -> str:
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, ModuleNotFoundError):
        text += "; import what only steps need inside the steps (for annotations: under `if TYPE_CHECKING:`)"
    return text


def _failed_at(error: Exception, file: Path) -> Site:
    """The deepest line of the author's folder in the traceback."""
    if isinstance(error, SyntaxError) and error.filename:
        return Site(error.filename, error.lineno or 0)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(file.parent)]
    return Site(own[-1].filename, own[-1].lineno or 0) if own else Site(str(file), 0)


def _error(rule: str, message: str, site: Site) -> AuthoringError:
    return AuthoringError(Problem(rule=rule, where="", message=message, site=site))
