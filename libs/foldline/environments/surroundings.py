"""What uv is told about this machine: certificates, and where packages come from.

uv reads neither pip's files nor pip's variables. Where the machine does not say in uv's own way where
packages come from (a UV_ variable, a uv.toml, the project that a release is made in), what it says to pip
counts: index, extra indexes, links, constraints, trusted hosts, certificate. So `foldline` works wherever
`pip install` does.
"""

from __future__ import annotations

import configparser
import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

SYSTEM = Path("/etc")

_SAYS_WHERE = (
    "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_NO_INDEX",
)
_SAYS_WHERE_IN_FILES = ("extra-index-url", "find-links", "index", "index-url", "no-index")
_OF_ANOTHER_PLACE = (
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_COMPILE_BYTECODE",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_WORKING_DIR",
    "UV_WORKING_DIRECTORY",
    "VIRTUAL_ENV",
)
"""With these uv would work on what is not ours, or compile what is never imported."""

_SECTIONS = ("global", "install", ":env:")


def of_uv(environ: Mapping[str, str] | None = None, *, is_choosing: bool) -> dict[str, str]:
    """The environment that uv runs in. Building a package may run its code, so no secret of ours goes in.

    `is_choosing`: versions are still to be chosen, so constraints apply; a lock has chosen already.
    """
    given = os.environ if environ is None else environ  # noqa: TID251 - uv's environment is made here
    result = {name: value for name, value in given.items() if not name.startswith("FOLDLINE_")}
    result |= {
        "NO_COLOR": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "1",
    }
    for name in _OF_ANOTHER_PLACE:
        result.pop(name, None)
    # An environment is built outside of all projects; whoever chooses versions stands in one.
    if not _is_uv_configured(result, project=Path.cwd() if is_choosing else None):
        result |= _translated(_pip_settings(result), result)
    if not is_choosing:
        result.pop("UV_CONSTRAINT", None)
    return result


def _is_uv_configured(environ: Mapping[str, str], project: Path | None) -> bool:
    """Whether uv knows of itself where packages come from."""
    if any(name in environ for name in _SAYS_WHERE):
        return True
    if environ.get("UV_NO_CONFIG"):
        return False
    folders = [_home(environ, "XDG_CONFIG_HOME", ".config"), SYSTEM]
    found = [_toml(folder / "uv" / "uv.toml") for folder in folders]
    if project is not None:
        found.append(_of_project(project))
    return any(
        name in settings or name in settings.get("pip", {})
        for settings in found
        for name in _SAYS_WHERE_IN_FILES
    )


def _of_project(folder: Path) -> dict[str, Any]:
    """As uv finds it: the first file on the way up that has something for it."""
    for parent in (folder, *folder.parents):
        if (parent / "uv.toml").is_file():
            return _toml(parent / "uv.toml")
        settings = _toml(parent / "pyproject.toml").get("tool", {})
        if "uv" in settings:
            return dict(settings["uv"])
    return {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}  # what is wrong with it uv says better


def _pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """As pip finds them: later files win, variables win over files."""
    found: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip refuses such a file; uv has no need of it
        for section in _SECTIONS:
            if parser.has_section(section):
                found |= {_option(name): value for name, value in parser.items(section)}
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            found[_option(name.removeprefix("PIP_"))] = value
    return found


def _pip_files(environ: Mapping[str, str]) -> Iterable[Path]:
    own = environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return
    for folder in reversed(environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        yield Path(folder) / "pip" / "pip.conf"
    yield SYSTEM / "pip.conf"
    yield _home(environ, "", ".pip") / "pip.conf"
    yield _home(environ, "XDG_CONFIG_HOME", ".config") / "pip" / "pip.conf"
    yield Path(sys.prefix) / "pip.conf"
    if own:
        yield Path(own)


def _translated(pip: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    indexes = [url for url in pip.get("extra-index-url", "").split() if _is_there(url)]
    links = [link for link in pip.get("find-links", "").split() if _is_there(link)]
    constraints = [path for path in pip.get("constraint", "").split() if Path(path).is_file()]
    result = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(indexes),
        # pip takes the best version of all indexes; uv by itself takes the first index that has any.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if indexes else "",
        "UV_FIND_LINKS": ",".join(links),
        "UV_CONSTRAINT": " ".join(constraints),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "UV_NO_INDEX": "1" if pip.get("no-index", "").lower() in ("1", "true", "yes", "on") else "",
    }
    if not environ.get("SSL_CERT_FILE") and Path(pip.get("cert", "")).is_file():
        result["SSL_CERT_FILE"] = pip["cert"]
    return {name: value for name, value in result.items() if value}


def _is_there(address: str) -> bool:
    """A folder that does not exist stops uv, while pip goes on without it."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).exists()
    return bool(parts.scheme) or Path(address).exists()


def _option(name: str) -> str:
    return name.lower().replace("_", "-")


def _home(environ: Mapping[str, str], variable: str, default: str) -> Path:
    given = environ.get(variable) if variable else None
    return Path(given) if given else Path(environ.get("HOME") or Path.home()) / default
