"""One use of a step or workflow: its name, what it waits for, when it is skipped.

    train.named("train-small").after(clean).skip_when(rows < 100)(data)

`named`, `after` and `skip_when` give a copy, so the declaration itself stays as it was; `fl.map` and
`fl.repeat` take such copies as well.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Self

from foldline.sdk.conditions import Condition, any_of, condition_of


@dataclass(frozen=True, slots=True)
class Use:
    """What an author said of one use."""

    name: str = ""
    after: tuple[object, ...] = ()
    skip_when: Condition | None = None


class Usable:
    """Something that a workflow function can call."""

    name: str
    use: Use = Use()

    def named(self, name: str) -> Self:
        """The same under another name for one use: `train.named("train-small")(data)`."""
        return self._used(replace(self.use, name=name))

    def after(self, *others: object) -> Self:
        """The same, started only when `others` have finished: `report.after(clean)(data)`."""
        return self._used(replace(self.use, after=(*self.use.after, *others)))

    def skip_when(self, condition: object) -> Self:
        """The same, skipped where `condition` holds once everything before it has finished."""
        found = condition_of(condition)
        if self.use.skip_when is not None:
            found = condition_of(any_of(self.use.skip_when, found))
        return self._used(replace(self.use, skip_when=found))

    def plain(self) -> Self:
        """The declaration itself, without what was said of a use."""
        return self._used(Use())

    def _used(self, use: Use) -> Self:
        used = copy.copy(self)
        used.use = use
        return used
