"""Which installation a client talks to, as whom, in which workspace.

Looked for in this order: what the caller gives, the environment (FOLDLINE_SERVER, FOLDLINE_TOKEN,
FOLDLINE_WORKSPACE), and HOME/client.json, which `foldline up` writes.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from foldline.chassis import settings
from foldline.domain.errors import FoldlineError, Kind

DEFAULT_WORKSPACE = "default"


class Connection(msgspec.Struct, frozen=True):
    """Everything a client needs. `console` is the address of the web pages, where it is known."""

    server: str
    token: settings.Secret
    workspace: str
    console: str = ""


class _Environment(msgspec.Struct, frozen=True):
    server: str = ""
    token: settings.Secret = settings.Secret("")
    workspace: str = ""
    home: str = ""


class _Folders(msgspec.Struct, frozen=True):
    data_home: str = ""


class _ClientFile(msgspec.Struct, frozen=True):
    server: str = ""
    token: str = ""
    workspace: str = ""
    console: str = ""


def default_home() -> Path:
    """The folder of this user's installation: FOLDLINE_HOME, or foldline in the XDG data folder."""
    if home := settings.load(_Environment).home:
        return Path(home)
    data = settings.load(_Folders, prefix="XDG_").data_home
    return (Path(data) if data else Path.home() / ".local" / "share") / "foldline"


def find(server: str = "", token: str = "", workspace: str = "", home: Path | None = None) -> Connection:
    """The connection to use. Raises UNAVAILABLE where no server is known, UNAUTHENTICATED without a token."""
    environment = settings.load(_Environment)
    file = (home or default_home()) / "client.json"
    written = _read(file)
    server = server or environment.server
    # A token belongs to one server: the file's is never sent to a server that was named otherwise.
    own_token = written.token if server in ("", written.server) else ""
    token = token or environment.token.value or own_token
    if not (server or written.server):
        raise FoldlineError(
            Kind.UNAVAILABLE, "NO_SERVER", f"no server is known: neither --server, FOLDLINE_SERVER nor {file}"
        )
    if not token:
        raise FoldlineError(
            Kind.UNAUTHENTICATED, "NO_TOKEN", f"no token for {server}: neither --token nor FOLDLINE_TOKEN"
        )
    return Connection(
        server=server or written.server,
        token=settings.Secret(token),
        workspace=workspace or environment.workspace or written.workspace or DEFAULT_WORKSPACE,
        console=written.console if server in ("", written.server) else "",
    )


def _read(file: Path) -> _ClientFile:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_ClientFile)
    except FileNotFoundError:
        return _ClientFile()
    except (OSError, msgspec.MsgspecError) as error:
        raise FoldlineError(Kind.INVALID, "CLIENT_FILE_UNREADABLE", f"{file}: {error}") from error
