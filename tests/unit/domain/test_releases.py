"""Canonical JSON and the digest of a release."""

from __future__ import annotations

from foldline.domain import releases
from foldline.domain.spec import Environment, Function, Graph, Parameter, Retry, Step

GRAPH = Graph(
    name="digits",
    parameters=(Parameter(name="rate", type="float", default=1.0),),
    steps=(Step(name="train", kind="function", function=Function(module="digits", name="train")),),
)


def test_canonical_json_sorts_keys_and_leaves_out_white_space_and_defaults() -> None:
    environment = Environment(python="3.11", requirements=("numpy",))

    assert releases.canonical(environment) == b'{"python":"3.11","requirements":["numpy"]}'


def test_whole_numbers_are_written_without_a_fraction_whatever_they_were() -> None:
    assert releases.canonical({"b": 1.0, "a": [-0.0, 1.5, 2]}) == b'{"a":[0,1.5,2],"b":1}'
    assert releases.canonical({"big": 1e300, "yes": True}) == b'{"big":1e300,"yes":true}'


def test_text_is_utf_8() -> None:
    assert releases.canonical({"título": "é"}) == '{"título":"é"}'.encode()


def test_an_int_where_a_float_is_meant_changes_no_digest() -> None:
    other = Graph(
        name=GRAPH.name,
        parameters=(Parameter(name="rate", type="float", default=1),),
        steps=GRAPH.steps,
    )

    assert _digest(other) == _digest(GRAPH)


def test_the_digest_never_changes_between_versions_of_foldline() -> None:
    assert _digest(GRAPH) == "sha256:417e50fb5a8326b90cc2b5d00eafcb7ad15a5d7c601af72842fa649f637039b0"


def test_every_part_changes_the_digest() -> None:
    slower = Graph(
        name=GRAPH.name,
        parameters=GRAPH.parameters,
        steps=(
            Step(
                name="train",
                kind="function",
                function=Function(module="digits", name="train"),
                retry=Retry(max_attempts=2),
            ),
        ),
    )

    found = {
        _digest(GRAPH),
        _digest(slower),
        _digest(GRAPH, bundle="other"),
        _digest(GRAPH, environment="other"),
        _digest(GRAPH, docs="other"),
    }

    assert len(found) == 5


def _digest(graph: Graph, bundle: str = "b", environment: str = "e", docs: str = "d") -> str:
    return releases.digest_of(graph, bundle=bundle, environment=environment, docs=docs)
