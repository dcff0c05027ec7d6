"""What uv is told about this machine: certificates, and where packages come from.

uv reads neither pip's files nor pip's variables. Where the machine says nothing in uv's own way (a UV_
variable, a uv.toml), what it says to pip counts: index, extra indexes, links, constraints, trusted hosts,
certificate. So `foldline` works wherever `pip install` does.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
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
    # These would make uv work on an environment or project that is not ours.
    for name in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"):
        result.pop(name, None)
    if not _is_uv_configured(result):
        result |= _translated(_pip_settings(result), result)
    if not is_choosing:
        result.pop("UV_CONSTRAINT", None)
    return result


def _is_uv_configured(environ: Mapping[str, str]) -> bool:
    folders = [_home(environ, "XDG_CONFIG_HOME", ".config"), SYSTEM]
    return any(name in environ for name in _SAYS_WHERE) or any(
        (folder / "uv" / "uv.toml").is_file() for folder in folders
    )


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
