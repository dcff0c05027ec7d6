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
    """An amount of everything."""

    slots: int = 1
    millicpus: int = 1000
    memory_bytes: int = 0
    gpu: int = 0
    ranks: int = 1
    """Of how many processes this is the sum; for people alone."""

    def fits(self, room: Size) -> bool:
        return not (
            self.slots > room.slots
            or self.millicpus > room.millicpus
            or self.memory_bytes > room.memory_bytes
            or self.gpu > room.gpu
        )

    def plus(self, other: Size) -> Size:
        return Size(
            slots=self.slots + other.slots,
            millicpus=self.millicpus + other.millicpus,
            memory_bytes=self.memory_bytes + other.memory_bytes,
            gpu=self.gpu + other.gpu,
        )

    def minus(self, other: Size) -> Size:
        return Size(
            slots=self.slots - other.slots,
            millicpus=self.millicpus - other.millicpus,
            memory_bytes=self.memory_bytes - other.memory_bytes,
            gpu=self.gpu - other.gpu,
        )

    def __str__(self) -> str:
        """What an attempt needs, for people."""
        parts = [f"{self.millicpus / 1000:g} cpu"]
        if self.memory_bytes:
            parts.append(shown_bytes(self.memory_bytes))
        if self.gpu:
            parts.append(f"{self.gpu} gpu")
        return ", ".join(parts) + (f" for its {self.ranks} ranks" if self.ranks > 1 else "")


USUAL = Size()
"""What an attempt takes that asks for nothing."""

NOTHING = Size(slots=0, millicpus=0)

Flavors = Mapping[str, Size]
"""Named sizes of the installation."""


def size_of(resources: Resources, flavors: Flavors, ranks: int = 1) -> Size | None:
    """What an attempt with these resources takes; None where it names a flavor that there is not.

    What the step says by itself counts over what its flavor says. Each of its ranks takes as much; together
    they are one attempt, in one slot.
    """
    flavor = flavors.get(resources.flavor) if resources.flavor else Size()
    if flavor is None:
        return None
    ranks = max(1, ranks)
    return Size(
        millicpus=(round(resources.cpu * 1000) or flavor.millicpus) * ranks,
        memory_bytes=(resources.memory_bytes or flavor.memory_bytes) * ranks,
        gpu=(resources.gpu or flavor.gpu) * ranks,
        ranks=ranks,
    )


def shown_bytes(amount: int) -> str:
    value, units = float(amount), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        del units[0]
    return f"{value:.4g} {units[0]}"
