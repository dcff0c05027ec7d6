"""The laws of a made-up world: what every function gives, every person answers, every parameter is.

All of it follows from a number and the thing itself, so that a run in any order, and the reference that does
not run at all, find the same.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, NamedTuple

from foldline.domain.spec import Parameter, Wait

FOREVER = 1_000_000
"""So many tries fail: all."""


class Call(NamedTuple):
    """What becomes of a call: it fails `failures` times with `error_class`, and then gives `value`."""

    failures: int
    error_class: str
    value: Any
    metric: float


class Laws(NamedTuple):
    seed: int
    failing: int = 0
    """Of a hundred calls so many never succeed."""
    is_mended: bool = False
    """Every call succeeds at once."""

    def number(self, *of: Any) -> int:
        return zlib.crc32(json.dumps([self.seed, *of], sort_keys=True).encode())

    def call(self, module: str, name: str, inputs: dict[str, Any]) -> Call:
        """`name` says what sort of value it gives."""
        luck = self.number("call", module, name, inputs)
        failures = FOREVER if luck % 100 < self.failing else (0, 0, 0, 0, 1, 2)[luck // 100 % 6]
        if self.is_mended:
            failures = 0
        error_class = ("ValueError", "OSError")[luck // 1000 % 2]
        return Call(failures, error_class, self._value(name, luck // 10_000), luck // 7 % 5 / 4)

    def holds(self, module: str, name: str, inputs: dict[str, Any]) -> str:
        """What a person does to a step that is held: "retry" (it is mended then) or "stop"."""
        return ("retry", "stop")[self.number("held", module, name, inputs) % 2]

    def answer(self, wait: Wait) -> dict[str, Any] | None:
        """What is said to a wait step; None: nobody answers."""
        luck = self.number("answer", wait.prompt)
        if wait.deadline_seconds and luck % 3 == 0:
            return None
        match wait.kind:
            case "approve":
                return {"approved": bool(luck // 10 % 4), "comment": "seen", "by": "ada"}
            case "choose":
                return {"choice": wait.choices[luck // 10 % len(wait.choices)]}
            case "values":
                return {field.name: luck // 10 % 5 for field in wait.fields}
            case _:
                return {"data": {"k": luck // 10 % 5}}

    def parameter(self, graph: str, parameter: Parameter) -> Any:
        """The value that a person gives for a delayed parameter."""
        return self.number("parameter", graph, parameter.name) % 5

    @staticmethod
    def _value(name: str, luck: int) -> Any:
        match name:
            case "number":
                return luck % 5
            case "list":
                return [luck // 5**place % 5 for place in range(luck % 4)]
            case _:
                return {"k": luck % 5, "l": [luck // 5 % 5, luck // 25 % 5]}
