"""From a setting to a store."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from foldline.artifacts.folder import FolderStore
from foldline.artifacts.port import ArtifactStore, StoreUnavailableError

PATIENCE_SECONDS = 15.0

_CONNECT_SECONDS = 5.0
_LONGEST_TRANSFER = timedelta(days=1)


def open_store(url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> ArtifactStore:
    """A folder's path, or the address of an object store such as s3://bucket/prefix.

    Keys and regions of an object store come from its own variables (AWS_ACCESS_KEY_ID and so on), never from
    the address, which is seen in process lists and logs. A store that does not answer is tried again for
    `patience_seconds`; a transfer that goes on may take as long as it takes.
    """
    if "://" not in url:
        return FolderStore(Path(url).expanduser().absolute())
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        message = (
            f"the address of an artifact store holds no keys; set {_KEYS.get(parts.scheme, 'them')} instead"
        )
        raise StoreUnavailableError(parts.scheme, message)
    if parts.scheme == "file":
        return FolderStore(Path(unquote(parts.path)))
    # Only here: a folder needs no object store's client.
    from obstore.exceptions import BaseError
    from obstore.store import MemoryStore, from_url

    from foldline.artifacts.remote import RemoteStore

    if parts.scheme == "memory":
        return RemoteStore(MemoryStore())
    patience = timedelta(seconds=patience_seconds)
    try:
        store = from_url(
            url,
            client_options={
                # Endpoints are https:// where nobody says otherwise; one that is given as http:// is meant.
                "allow_http": True,
                "connect_timeout": min(patience, timedelta(seconds=_CONNECT_SECONDS)),
                "read_timeout": patience,
                "timeout": _LONGEST_TRANSFER,
            },
            retry_config={"retry_timeout": patience, "max_retries": 20},
        )
    except (BaseError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise StoreUnavailableError(url, f"{url} is no address of an artifact store: {why}") from error
    return RemoteStore(store)


_KEYS = {"s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "gs": "GOOGLE_SERVICE_ACCOUNT"}
