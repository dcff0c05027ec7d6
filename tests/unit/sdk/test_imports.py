"""The authoring half loads in environments that hold nothing of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import foldline

CODE = """
import sys
sys.path.insert(0, {folder!r})
import foldline as fl
@fl.step(retry=fl.Retry(max_attempts=2))
def one(x: int) -> int:
    return x + 1
@fl.workflow
def flow(x: int = fl.param(1, ge=0)):
    with fl.when(fl.all_of(fl.is_in(one(x), [2]))):
        two = one(x)
    with fl.otherwise():
        three = one.skip_when(x < 0)(2)
    fl.map(one, [1, 2], parallelism=2)
    one(fl.merge(two, three))
    fl.repeat(one, until=lambda x: x > 3, carry="x", x=1)
    fl.approve("go on?", at_rejection="continue", seen=fl.metric(two, "size"))
    with fl.on_exit():
        one(fl.outcome.status)
from foldline.sdk import bodies
traced = bodies.of_workflow(flow)
assert not traced.problems, traced.problems
assert one(1) == 2
outside = {{
    name for name, module in sys.modules.items()
    if (getattr(module, "__file__", None) or "").find("site-packages") >= 0
}}
assert not outside, outside
"""


def test_authoring_needs_the_standard_library_alone(tmp_path: Path) -> None:
    (tmp_path / "foldline").symlink_to(Path(foldline.__file__).parent)

    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CODE.format(folder=str(tmp_path))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.returncode == 0, result.stderr
