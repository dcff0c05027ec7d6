"""Names of the streams that the registry writes, built and taken apart in one place.

No part of a name may hold a dot (`domain.names`), so the dots say which part is which.
"""

from __future__ import annotations


def workspace(name: str) -> str:
    return f"workspace-{name}"


def workflow(workspace: str, name: str) -> str:
    return f"workflow-{workspace}.{name}"


def release(digest: str) -> str:
    return f"release-{digest.removeprefix('sha256:')}"


def asset(publisher: str, name: str) -> str:
    return f"asset-{publisher}.{name}"


def subscription(workspace: str, publisher: str, asset: str) -> str:
    return f"subscription-{workspace}.{publisher}.{asset}"


def category(stream: str) -> str:
    return stream.partition("-")[0]
