"""Placeholders: what the author's variables hold while a workflow is traced.

A workflow function runs once, when it is checked or released, without any real value. Its parameters and the
results of its steps are placeholders, which can be handed on to steps, compared, and looked into; whatever
would need the value itself is refused with a sentence that says what to do instead.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from foldline.sdk.problems import refuse

if TYPE_CHECKING:
    from foldline.sdk.conditions import Condition
    from foldline.sdk.tracing import Node


class Placeholder:
    """Stands for a value that only a run knows."""

    __slots__ = ()

    def describe(self) -> str:
        raise NotImplementedError

    def compare_to(self, op: str, other: object) -> Condition:
        from foldline.sdk.conditions import compare

        return compare(op, self, other)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # a comparison, not an answer
        return self.compare_to("==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # as above
        return self.compare_to("!=", other)

    def __lt__(self, other: object) -> Condition:
        return self.compare_to("<", other)

    def __le__(self, other: object) -> Condition:
        return self.compare_to("<=", other)

    def __gt__(self, other: object) -> Condition:
        return self.compare_to(">", other)

    def __ge__(self, other: object) -> Condition:
        return self.compare_to(">=", other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise refuse(
            "PLACEHOLDER_AS_BOOL",
            self.describe(),
            "has no value while the workflow is traced: `if`, `and`, `or`, `not` and `in` cannot look at it; "
            "branch with `with fl.when(...):`, combine with fl.all_of, fl.any_of, fl.not_, fl.is_in",
        )

    def __iter__(self) -> Iterator[object]:
        raise refuse(
            "PLACEHOLDER_AS_COLLECTION",
            self.describe(),
            "has no elements while the workflow is traced; loop inside a step, or take one with [key]",
        )

    def __len__(self) -> int:
        raise refuse(
            "PLACEHOLDER_AS_COLLECTION",
            self.describe(),
            "has no length while the workflow is traced; take the length inside a step",
        )

    def _no_arithmetic(self, *_: object) -> NoReturn:
        raise refuse(
            "PLACEHOLDER_IN_ARITHMETIC",
            self.describe(),
            "has no value while the workflow is traced; compute inside a step and use the step's result",
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _no_arithmetic
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _no_arithmetic
    __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __and__ = __rand__ = __or__ = __ror__ = _no_arithmetic
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = _no_arithmetic
    __int__ = __float__ = __index__ = __complex__ = _no_arithmetic

    def _no_text(self, *_: object) -> NoReturn:
        raise refuse(
            "PLACEHOLDER_AS_TEXT",
            self.describe(),
            "has no text while the workflow is traced; format or print it inside a step",
        )

    __str__ = __format__ = _no_text

    def __repr__(self) -> str:
        return f"<placeholder of {self.describe()}>"


class ParameterRef(Placeholder):
    """A parameter of the workflow."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def describe(self) -> str:
        return f"parameter {self.name}"

    def __getitem__(self, key: object) -> NoReturn:
        raise refuse(
            "PLACEHOLDER_AS_COLLECTION",
            self.describe(),
            f"cannot be looked into while the workflow is traced; take [{key!r}] inside a step",
        )


class OutputRef(Placeholder):
    """An output of a step, or a place inside a JSON output."""

    __slots__ = ("name", "node", "path")

    def __init__(self, node: Node, name: str, path: tuple[str, ...] = ()) -> None:
        self.node = node
        self.name = name
        self.path = path

    def describe(self) -> str:
        return ".".join((f"step {self.node.label}", self.name, *self.path))

    def __getitem__(self, key: object) -> OutputRef:
        if isinstance(key, bool) or not isinstance(key, (str, int)) or (isinstance(key, int) and key < 0):
            raise refuse(
                "ILLEGAL_KEY", self.describe(), f"a key is a text or an index from 0 on, not {key!r}"
            )
        return OutputRef(self.node, self.name, (*self.path, str(key)))


class Result(Placeholder):
    """What a step's call gives: its outputs as attributes, and itself the output where there is just one."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def describe(self) -> str:
        return f"step {self._node.label}"

    def named(self, name: str) -> Result:
        """Give this use of the step a name of its own; without one it is the step's, then name-2, ..."""
        self._node.rename(name)
        return self

    def after(self, *others: object) -> Result:
        """Start only when `others` (results, or names of steps) have finished, although no data flows."""
        self._node.wait_for(others)
        return self

    def single(self) -> OutputRef:
        """The only output. Refused where there are none or several."""
        names = self._node.output_names
        if len(names) == 1:
            return OutputRef(self._node, names[0])
        if not names:
            raise refuse("NO_OUTPUT", self.describe(), "returns nothing (-> None), so nothing can take it")
        raise refuse(
            "SEVERAL_OUTPUTS", self.describe(), f"has several outputs; take one of: {', '.join(names)}"
        )

    def __getattr__(self, name: str) -> OutputRef:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._output(name)

    def __getitem__(self, key: str | int) -> OutputRef:
        if self._node.is_record:
            return self._output(str(key))
        return self.single()[key]

    def compare_to(self, op: str, other: object) -> Condition:
        return self.single().compare_to(op, other)

    def __iter__(self) -> Iterator[OutputRef]:
        """Unpack a NamedTuple's fields: `train, test = split(...)`."""
        if not self._node.is_record:
            raise refuse(
                "PLACEHOLDER_AS_COLLECTION",
                self.describe(),
                "has one output, which cannot be unpacked; annotate the step's result as a NamedTuple",
            )
        return (OutputRef(self._node, name) for name in self._node.output_names)

    def _output(self, name: str) -> OutputRef:
        names = self._node.output_names
        if self._node.is_record and name in names:
            return OutputRef(self._node, name)
        close = difflib.get_close_matches(name, names, n=1)
        known = f"did you mean {close[0]}?" if close else f"it has: {', '.join(names) or 'none'}"
        if not self._node.is_record and names:
            known = f"it has one output; look into a JSON result with [{name!r}]"
        raise refuse("UNKNOWN_OUTPUT", self.describe(), f"has no output {name}; {known}")
