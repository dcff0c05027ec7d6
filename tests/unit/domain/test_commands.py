"""What a step of kind command may say, and how many processes may work on a step."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from foldline.domain import dag
from foldline.domain.check_commands import OWN_VARIABLES, is_below, scripts
from foldline.domain.problems import GraphError
from foldline.domain.spec import Binding, Body, Command, Function, Graph, Map, Output, Parameter, Step


def step(**changes: Any) -> Step:
    return Step(name="train", kind="command", command=Command(**{"line": "true", **changes}))


def refused(declared: Step) -> list[tuple[str, str]]:
    with pytest.raises(GraphError) as caught:
        dag.compile(Graph(name="example", steps=(declared,)))
    return [(problem.rule, problem.message) for problem in caught.value.problems]


def allowed(declared: Step) -> None:
    dag.compile(Graph(name="example", steps=(declared,)))


def test_a_command_says_exactly_one_of_three() -> None:
    assert refused(step(line=""))[0][0] == "ILLEGAL_COMMAND"
    assert "says line and script" in refused(step(script="a.sh"))[0][1]
    assert "line and script and arguments" in refused(step(script="a.sh", arguments=("a",)))[0][1]
    allowed(step())
    allowed(step(line="", script="a.sh"))
    allowed(step(line="", arguments=("train", "")))


def test_a_step_of_kind_command_has_a_command_and_no_other_kind_does() -> None:
    assert refused(Step(name="a", kind="command"))[0][0] == "NO_COMMAND"
    function = Step(name="a", kind="function", function=Function(module="m", name="f"))
    assert refused(replace(function, command=Command(line="true")))[0][0] == "ILLEGAL_COMMAND"


def test_a_program_has_a_name() -> None:
    assert refused(step(line="", arguments=("", "x")))[0][0] == "ILLEGAL_COMMAND"


@pytest.mark.parametrize("text", ["a\0b", "x" * 100_000])
def test_a_text_is_one_that_the_kernel_takes(text: str) -> None:
    assert refused(step(line=text))[0][0] == "ILLEGAL_COMMAND"
    assert refused(step(variables={"A": text}))[0][0] == "ILLEGAL_COMMAND"


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A=B", "Ä", "A\n"])
def test_a_variable_has_a_legal_name(name: str) -> None:
    assert refused(step(variables={name: "1"}))[0][0] == "ILLEGAL_VARIABLE"


@pytest.mark.parametrize("name", [*sorted(OWN_VARIABLES), "INPUT_DATA", "FOLDLINE_HOME"])
def test_a_variable_is_none_of_the_platform(name: str) -> None:
    ((rule, message),) = refused(step(variables={name: "1"}))

    assert (rule, message) == ("ILLEGAL_VARIABLE", f"sets {name}, which the platform sets")


@pytest.mark.parametrize("path", ["/tmp/m.json", "../m.json", "a/../../m.json", "folder/"])
def test_paths_stay_below_their_folder(path: str) -> None:
    assert refused(step(metrics_file=path))[0][0] == "ILLEGAL_PATH"
    assert refused(step(line="", script=path))[0][0] == "ILLEGAL_PATH"


def test_a_path_below_is_relative_and_goes_down() -> None:
    assert is_below("out/metrics.json")
    assert not is_below("")
    assert not is_below("..")


@pytest.mark.parametrize(
    "image",
    [
        *("python", "python:3.13-slim", "library/python", "registry.example.org:5000/team/train:v1.2"),
        *("localhost/train", f"team/train@sha256:{'0' * 64}", f"train:v1@sha256:{'a' * 64}"),
    ],
)
def test_an_image_is_a_reference(image: str) -> None:
    allowed(step(image=image))


@pytest.mark.parametrize(
    "image", ["Python", "a b", "-rm", "--privileged", "train:", "train@sha256:00", "a//b", "x" * 600, "a\n"]
)
def test_what_is_no_image_reference_is_refused(image: str) -> None:
    assert refused(step(image=image))[0][0] == "ILLEGAL_IMAGE"


def test_two_inputs_are_two_variables() -> None:
    inputs = {"the-data": Binding(value=1), "the_data": Binding(value=2)}

    ((rule, message),) = refused(replace(step(), inputs=inputs))

    assert rule == "ILLEGAL_COMMAND"
    assert "INPUT_THE_DATA: the-data, the_data" in message


def test_an_output_has_a_type_that_a_program_can_leave() -> None:
    for kind in ("any", "list"):
        assert refused(replace(step(), outputs=(Output(name="a", type=kind),)))[0][0] == "OUTPUT_NOT_LEAVABLE"
    kinds: tuple[Any, ...] = ("str", "int", "json", "table", "array", "image", "model", "file")
    allowed(replace(step(), outputs=tuple(Output(name=kind, type=kind) for kind in kinds)))


@pytest.mark.parametrize("ranks", [-1, 1025])
def test_ranks_have_bounds(ranks: int) -> None:
    assert refused(replace(step(), ranks=ranks))[0][0] == "ILLEGAL_RANKS"


def test_only_work_has_ranks_and_shared_work_has_not() -> None:
    function = Step(name="a", kind="function", function=Function(module="m", name="f"), effects="pure")
    allowed(replace(function, ranks=2))
    assert "ILLEGAL_RANKS" in [rule for rule, _ in refused(replace(function, ranks=2, isolation="shared"))]
    assert "ILLEGAL_RANKS" in [rule for rule, _ in refused(Step(name="a", kind="wait", ranks=2))]


def test_scripts_are_found_in_bodies_and_not_in_other_releases() -> None:
    script = step(line="", script="train.sh")
    inner = Graph(name="body", steps=(script,), parameters=(Parameter(name="x", type="json"),))
    each = Step(
        name="each",
        kind="map",
        map=Map(over="x"),
        inputs={"x": Binding(value=[1])},
        body=Body(graph=inner),
    )
    other = replace(each, name="other", body=Body(graph=inner, bundle="sha256:0"))

    found = list(scripts(Graph(name="example", steps=(script, each, other))))

    assert found == [("train", "train.sh"), ("each/train", "train.sh")]
