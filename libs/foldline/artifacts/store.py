"""From a setting to a store."""

from __future__ import annotations

from pathlib import Path

from foldline.artifacts.folder import FolderStore
from foldline.artifacts.port import ArtifactStore


def open_store(url: str) -> ArtifactStore:
    """A folder's path, or the address of an object store such as s3://bucket/prefix.

    Keys and regions of an object store come from its own variables (AWS_ACCESS_KEY_ID and so on).
    """
    if "://" not in url:
        return FolderStore(Path(url).expanduser().absolute())
    # Only here: a folder needs no object store's client.
    from obstore.store import from_url

    from foldline.artifacts.remote import RemoteStore

    return RemoteStore(from_url(url))
