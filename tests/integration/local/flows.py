"""Graphs whose steps are functions of one module, built by hand."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from foldline.domain.run import RunState
from foldline.domain.run_events import RunEvent
from foldline.domain.spec import (
    Binding,
    Body,
    Expression,
    Function,
    Graph,
    Map,
    Output,
    OutputRef,
    Parameter,
    Repeat,
    Retry,
    Step,
    Wait,
)
from foldline.sdk import local

CODE = """
    import os, time
    from pathlib import Path

    import foldline as fl


    def number():
        return 7


    def numbers(count):
        return list(range(count))


    def arrays(size):
        import numpy as np
        return np.full(size, size)


    def long(count):
        return ["x" * 1000] * count


    def double(x):
        return x * 2


    def picky(x):
        if x == 2:
            raise ValueError("not two")
        return x


    def flaky(x, folder):
        marker = Path(folder) / f"{x}"
        if x == 2 and not marker.exists():
            marker.touch()
            raise ValueError("not yet")
        (Path(folder) / f"ran-{x}-{len(list(Path(folder).iterdir()))}").touch()
        return x


    def total(x):
        return sum(len(one) if isinstance(one, str) else one or 0 for one in x)


    def lengths(x):
        return [len(one) for one in x]


    def same(x):
        return x


    def resumes():
        left = fl.last_checkpoint()
        if left is None:
            fl.checkpoint({"epoch": 4})
            raise RuntimeError("power cut")
        return left


    def lost():
        raise RuntimeError("no luck")


    def repaired(why):
        return why


    def measures():
        fl.log_metric("loss", 0.5)
        fl.log_metric("loss", 0.25)


    def sleeps(path):
        Path(path).touch()
        time.sleep(600)


    def at_once(folder):
        running = Path(folder) / f"{os.getpid()}"
        running.touch()
        time.sleep(0.05)
        count = len(list(Path(folder).iterdir()))
        running.unlink()
        return count
"""


def ref(step: str, name: str = "output", *path: str) -> Binding:
    return Binding(output=OutputRef(step=step, name=name, path=path))


def parameter(name: str) -> Binding:
    return Binding(parameter=name)


def call(name: str, function: str = "", /, *, options: dict[str, Any] | None = None, **inputs: Any) -> Step:
    """A step that calls a function; inputs that are no bindings are values."""
    bindings = {
        key: value if isinstance(value, Binding) else Binding(value=value) for key, value in inputs.items()
    }
    return Step(
        name=name,
        kind="function",
        function=Function(module="flow", name=function or name),
        inputs=bindings,
        outputs=(Output(name="output"),),
        **(options or {}),
    )


def graph(*steps: Step, **changes: Any) -> Graph:
    return Graph(name="example", steps=steps, **changes)


def body(function: str = "double", takes: dict[str, Any] | None = None) -> Graph:
    """output = function(x), or of what it `takes`."""
    return Graph(
        name="body",
        parameters=(Parameter(name="x", type="json"),),
        steps=(call("work", function, **(takes or {"x": parameter("x")})),),
        outputs={"output": ref("work")},
    )


def each(
    over: Binding,
    function: str = "double",
    *,
    takes: dict[str, Any] | None = None,
    retry: Retry | None = None,
    **limits: Any,
) -> Step:
    """A map over x of the function."""
    return Step(
        name="each",
        kind="map",
        inputs={"x": over},
        outputs=(Output(name="output", type="list"),),
        body=Body(graph=body(function, takes)),
        map=Map(over="x", **limits),
        retry=retry or Retry(),
    )


def loop(until: int, **changes: Any) -> Step:
    condition = Expression(op=">=", left=ref("", "output"), right=Binding(value=until))
    return Step(
        name="loop",
        kind="repeat",
        inputs={"x": Binding(value=1)},
        outputs=(Output(name="output"),),
        body=Body(graph=body()),
        repeat=Repeat(until=condition, max_iterations=10, carry={"x": "output"}),
        **changes,
    )


def inside(inner: Graph, **inputs: Any) -> Step:
    bindings = {
        key: value if isinstance(value, Binding) else Binding(value=value) for key, value in inputs.items()
    }
    outputs = tuple(Output(name=name) for name in inner.outputs)
    return Step(name="inside", kind="workflow", inputs=bindings, outputs=outputs, body=Body(graph=inner))


def ask(kind: str = "approve", **changes: Any) -> Step:
    names = {"approve": ("approved", "by"), "choose": ("choice",), "event": ("data",), "values": ("rows",)}
    outputs = tuple(Output(name=name) for name in names[kind])
    return Step(name="ask", kind="wait", wait=Wait(kind=kind, **changes), outputs=outputs)


class Here:
    """A folder with the module, and what happened in the runs started in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.events: list[tuple[str, str]] = []
        """Run and type of each event."""
        self.statuses: dict[str, str] = {}
        (folder / "flow.py").write_text(textwrap.dedent(CODE))

    async def run(self, declared: Graph, **options: Any) -> RunState:
        values = options.pop("values", {})
        return await local.run(
            declared, values, root=self.folder, home=self.home, changed=self._changed, **options
        )

    def _changed(self, state: RunState, events: Sequence[RunEvent], now: datetime) -> None:
        del now
        self.statuses[state.created.run_id] = state.status
        self.events += [(state.created.run_id, type(event).__name__) for event in events]
