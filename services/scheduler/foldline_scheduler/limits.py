"""What an operator allows: attempts at once per pool, workspace, workflow and step, and weights of workspaces. Pure."""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """0 means no limit. Installation setting FOLDLINE_LIMITS; see docs/queues.md."""

    pools: dict[str, int] = {}  # "region/pool"
    workspaces: dict[str, int] = {}
    weights: dict[str, float] = {}  # of workspaces; 1 where nothing is said
    workflows: dict[str, int] = {}  # "workspace/workflow"
    steps: dict[str, int] = {}  # "workspace/workflow/step", inside a body ".../map/step"
