"""How much an attempt takes and an executor has: slots, processors, memory, graphics processors.

Pure. Everything is a whole number, processors in thousandths, so that adding and taking away never drifts.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from foldline.domain.spec import Resources

UNBOUNDED = 1 << 60
"""What an executor has of something that it does not tell about: its slots alone count."""


class Size(Struct, frozen=True, kw_only=True):
    """An amount of everything. Never compared as a whole: see `fits`."""

    slots: int = 1
    millicpus: int = 1000
    memory_bytes: int = 0
    gpu: int = 0

    def fits(self, room: Size) -> bool:
        return (
            self.slots <= room.slots
            and self.millicpus <= room.millicpus
            and self.memory_bytes <= room.memory_bytes
            and self.gpu <= room.gpu
        )

    def minus(self, other: Size) -> Size:
        return Size(
            slots=self.slots - other.slots,
            millicpus=self.millicpus - other.millicpus,
            memory_bytes=self.memory_bytes - other.memory_bytes,
            gpu=self.gpu - other.gpu,
        )

    def plus(self, other: Size) -> Size:
        return Size(
            slots=self.slots + other.slots,
            millicpus=self.millicpus + other.millicpus,
            memory_bytes=self.memory_bytes + other.memory_bytes,
            gpu=self.gpu + other.gpu,
        )


NOTHING = Size(slots=0, millicpus=0)

Flavors = Mapping[str, Size]
"""Named sizes of the installation."""


def size_of(resources: Resources, flavors: Flavors) -> Size | None:
    """What an attempt with these resources takes; None where it names a flavor that there is not.

    What the step says by itself counts over what its flavor says.
    """
    flavor = flavors.get(resources.flavor) if resources.flavor else Size()
    if flavor is None:
        return None
    return Size(
        millicpus=round(resources.cpu * 1000) or flavor.millicpus,
        memory_bytes=resources.memory_bytes or flavor.memory_bytes,
        gpu=resources.gpu or flavor.gpu,
    )
