"""What a release may be made of."""

from __future__ import annotations

import pytest

from foldline.domain.errors import FoldlineError
from foldline.domain.spec import Binding, Environment, Expression, Function, Graph, Step
from foldline_registry import drafts
from foldline_registry.drafts import Draft

TRAIN = Step(name="train", kind="function", function=Function(module="digits", name="train"))
ASK = Step(
    name="ask",
    kind="condition",
    condition=Expression(op="==", left=Binding(value=1), right=Binding(value=1)),
)
LOCK = """\
# Made by a tool.
numpy==2.0.0 \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via somebody
"""


def draft(*steps: Step, environment: Environment | None = None) -> Draft:
    return Draft(
        graph=Graph(name="digits", steps=steps or (ASK,)),
        bundle=b"",
        environment=environment or Environment(python="3.11"),
        docs="",
    )


def test_a_lock_of_packages_and_hashes_is_fine() -> None:
    drafts.check(draft(environment=Environment(python="3.11", requirements=("numpy",), lock=LOCK)))


@pytest.mark.parametrize(
    "line",
    ["--index-url https://example.org/simple", "-i x", "-r /etc/passwd", "  -e .", "--find-links /tmp"],
)
def test_a_lock_that_steers_the_installer_is_refused(line: str) -> None:
    environment = Environment(python="3.11", requirements=("numpy",), lock=f"{LOCK}{line}\n")

    with pytest.raises(FoldlineError, match="line 6 of the lock is the option") as caught:
        drafts.check(draft(environment=environment))

    assert caught.value.reason == "ILLEGAL_ENVIRONMENT"


@pytest.mark.parametrize("python", ["", "3", "2.7", "3.11.4", "3.0", "python3.11", ">=3.11"])
def test_a_python_version_is_major_and_minor(python: str) -> None:
    with pytest.raises(FoldlineError, match="must be a version like 3"):
        drafts.check(draft(environment=Environment(python=python)))


def test_a_graph_without_functions_needs_no_bundle() -> None:
    drafts.check(draft(ASK))

    with pytest.raises(
        FoldlineError, match="step train runs code of its own, but the release has no code bundle"
    ):
        drafts.check(draft(ASK, TRAIN))


def test_a_graph_that_is_too_large_is_refused() -> None:
    step = Step(name="train", kind="function", function=TRAIN.function, description="x" * (4 * 1024**2))

    with pytest.raises(FoldlineError, match="bytes are more than 4 MiB"):
        drafts.check(draft(step))
