"""Placeholders: what the author's variables hold while a workflow is traced.

A workflow function runs once, when it is checked or released, without any real value. Its parameters and the
results of its steps are placeholders, which can be handed on to steps, compared, and looked into; whatever
would need the value itself is refused with a sentence that says what to do instead.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn, TypeVar

from foldline.sdk.problems import refuse

if TYPE_CHECKING:
    from foldline.sdk.conditions import Condition
    from foldline.sdk.tracing import Node, Trace


R = TypeVar("R")


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
            "has no elements while the workflow is traced; run a step for each with fl.map, loop inside a "
            "step, or take one with [key]",
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
    """A parameter of the workflow that `trace` is of."""

    __slots__ = ("name", "trace")

    def __init__(self, name: str, trace: Trace) -> None:
        self.name = name
        self.trace = trace

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
        return OutputRef(self.node, self.name, (*self.path, _key(key, self.describe())))


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
        if self._node.outputs is None:
            return OutputRef(self._node, "output")
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
        if self._node.outputs is None or not self._node.is_record:
            raise refuse(
                "PLACEHOLDER_AS_COLLECTION",
                self.describe(),
                "has one output, which cannot be unpacked: annotate the step's result as a NamedTuple, or "
                "run a step for each item of a list with fl.map",
            )
        return (OutputRef(self._node, name) for name in self._node.output_names)

    def _output(self, name: str) -> OutputRef:
        names = self._node.output_names
        if self._node.outputs is None or (self._node.is_record and name in names):
            return OutputRef(self._node, name)
        close = difflib.get_close_matches(name, names, n=1)
        known = f"did you mean {close[0]}?" if close else f"it has: {', '.join(names) or 'none'}"
        if not self._node.is_record and names:
            known = f"it has one output; look into a JSON result with [{name!r}]"
        raise refuse("UNKNOWN_OUTPUT", self.describe(), f"has no output {name}; {known}")


class Merged(Placeholder):
    """The one of several results that a run produced. Fields and keys are those of the alternatives."""

    __slots__ = ("_alternatives",)

    def __init__(self, alternatives: tuple[Result | OutputRef, ...]) -> None:
        self._alternatives = alternatives

    def describe(self) -> str:
        return f"the merge of {', '.join(one.describe() for one in self._alternatives)}"

    def __getattr__(self, name: str) -> Merged:
        if name.startswith("_"):
            raise AttributeError(name)
        return Merged(tuple(getattr(one, name) for one in self._alternatives))

    def __getitem__(self, key: str | int) -> Merged:
        return Merged(tuple(one[key] for one in self._alternatives))


class MetricRef(Placeholder):
    """The last value that a step recorded under a metric's name."""

    __slots__ = ("name", "node")

    def __init__(self, node: Node, name: str) -> None:
        self.node = node
        self.name = name

    def describe(self) -> str:
        return f"metric {self.name} of step {self.node.label}"


class FactRef(Placeholder):
    """How the main part of the run ended, for its handlers."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def describe(self) -> str:
        return f"fl.outcome.{self.name}"


def node_of(value: Result | OutputRef) -> Node:
    """The use of a step that `value` comes from; a function, since results have outputs as attributes."""
    return value._node if isinstance(value, Result) else value.node  # noqa: SLF001  # its own module


def fields_of(result: Result) -> dict[str, object]:
    """The outputs of a result with named fields, or just itself."""
    node = node_of(result)
    if node.outputs is None or not node.is_record:
        return {"output": result}
    return {name: OutputRef(node, name) for name in node.output_names}


def alternatives_of(merged: Merged) -> tuple[OutputRef, ...]:
    """What the merge chooses from, each a single output."""
    parts = merged._alternatives  # noqa: SLF001  # its own module
    return tuple(one.single() if isinstance(one, Result) else one for one in parts)


def merge(*results: R) -> R:
    """The one of these results that the run produced, wherever its branches join again.

    None or several are an error of the run.
    """
    found: list[Result | OutputRef] = []
    for one in results:
        if isinstance(one, Merged):
            found.extend(one._alternatives)  # noqa: SLF001  # its own module
        elif isinstance(one, (Result, OutputRef)):
            found.append(one)
        else:
            raise refuse("ILLEGAL_MERGE", "fl.merge", f"takes results of steps, not {one!r}")
    if len(found) < 2:
        raise refuse("ILLEGAL_MERGE", "fl.merge", "takes two results or more, of which a run produces one")
    return Merged(tuple(found))  # type: ignore[return-value]  # a placeholder for it


def metric(result: object, name: str) -> float:
    """The last value that the step behind `result` recorded with `fl.log_metric(name, ...)`."""
    if not isinstance(result, (Result, OutputRef)):
        raise refuse("NO_METRICS", "fl.metric", f"takes the result of a step, not {result!r}")
    return MetricRef(node_of(result), name)  # type: ignore[return-value]  # a placeholder for it


def _key(key: object, where: str) -> str:
    if isinstance(key, bool) or not isinstance(key, (str, int)) or (isinstance(key, int) and key < 0):
        raise refuse("ILLEGAL_KEY", where, f"a key is a text or an index from 0 on, not {key!r}")
    return str(key)
