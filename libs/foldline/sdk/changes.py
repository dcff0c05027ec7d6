"""What differs from running a whole workflow as it is: a part of it, or an earlier run with changes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from foldline.api.scheduler.v1 import scheduler_service_pb2 as pb
from foldline.domain.spec import Json
from foldline.wire import messages


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Which steps of a workflow run. `scene` stands alone; of the others those count that all of them mean.

    `inputs_from` is an earlier run, whose outputs stand in for the steps that are left out.
    """

    only: tuple[str, ...] = ()
    from_steps: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    scene: str = ""
    inputs_from: str = ""

    def message(self) -> pb.Selection:
        found = pb.Selection(only=self.only, until=self.until, scene=self.scene, inputs_from=self.inputs_from)
        getattr(found, "from").extend(self.from_steps)  # a word of Python's own
        return found


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How a new run differs from the earlier one that it is made from.

    `release` is a digest, "current", or empty for the same one. `from_steps` run again in any case, with
    `whole` everything does. `allow` names unsafe steps that may run again; `outputs` are given instead of
    running the steps that they name.
    """

    values: Mapping[str, Json] = {}
    release: str = ""
    from_steps: tuple[str, ...] = ()
    whole: bool = False
    allow: tuple[str, ...] = ()
    outputs: Mapping[str, Mapping[str, Json]] = {}

    def message(self) -> pb.Fork:
        found = pb.Fork(
            values=messages.to_struct(self.values), release=self.release, whole=self.whole, allow=self.allow
        )
        getattr(found, "from").extend(self.from_steps)
        for step, outputs in self.outputs.items():
            found.outputs[step].CopyFrom(messages.to_struct(outputs))
        return found
