"""Codecs that authors register for classes of their own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.coding import Encode, _in_a_work_folder, decode, encode, refusal, unreadable

import foldline as fl
from foldline.runtime.codecs import authored
from foldline.sdk import hints

__all__ = ["_in_a_work_folder", "encode"]


class Graph:
    def __init__(self, edges: list[tuple[str, str]]) -> None:
        self.edges = edges


class Directed(Graph):
    pass


@dataclasses.dataclass
class Corpus:
    texts: dict[str, str]


def write_graph(graph: Graph, path: Path) -> None:
    path.write_text(json.dumps(graph.edges))


def read_graph(path: Path) -> Graph:
    return Graph([(a, b) for a, b in json.loads(path.read_text())])


def write_corpus(corpus: Corpus, path: Path) -> None:
    path.mkdir()
    for name, text in corpus.texts.items():
        (path / name).write_text(text)


def read_corpus(path: Path) -> Corpus:
    return Corpus({file.name: file.read_text() for file in path.iterdir()})


@pytest.fixture(autouse=True)
def _no_codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authored, "_registered", {})


def register_graph(**more: Any) -> None:
    fl.register_codec("graph", Graph, write=write_graph, read=read_graph, **more)


def test_a_value_of_the_class_goes_through_the_codec(encode: Encode) -> None:
    register_graph(type="model", preview=lambda graph: {"edges": len(graph.edges)})

    product = encode(Graph([("a", "b")]))

    assert (product.type, product.encoding, product.filename) == ("model", "author:graph", "output.graph")
    assert product.preview["edges"] == 1
    assert decode(product).edges == [("a", "b")]


def test_a_codec_may_write_a_folder(encode: Encode) -> None:
    fl.register_codec("corpus", Corpus, write=write_corpus, read=read_corpus)

    product = encode(Corpus({"one": "first", "two": "second"}))

    assert product.encoding == "author:corpus+folder"
    assert decode(product) == Corpus({"one": "first", "two": "second"})


def test_a_subclass_is_taken_and_the_newest_codec_decides(encode: Encode) -> None:
    register_graph()
    fl.register_codec("directed", Directed, write=write_graph, read=lambda path: Directed([]))

    assert encode(Directed([])).encoding == "author:directed"
    assert encode(Graph([])).encoding == "author:graph"


def test_a_reader_without_the_codec_is_told_its_name(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    register_graph()
    product = encode(Graph([]))
    monkeypatch.setattr(authored, "_registered", {})
    fl.register_codec("corpus", Corpus, write=write_corpus, read=read_corpus)

    said = unreadable(product)

    assert said.startswith("INPUT_NOT_READABLE: input data cannot be read as author:graph: ")
    assert "the codec 'graph', which this step's module does not register" in said
    assert "it registers corpus" in said


@pytest.mark.parametrize("name", ["os.system", "../up", "a:b", "Graph", "x" * 41, ""])
def test_a_codec_named_in_data_is_never_imported(encode: Encode, name: str) -> None:
    register_graph()
    product = dataclasses.replace(encode(Graph([])), encoding=f"author:{name}")

    assert "does not register" in unreadable(product)
    with pytest.raises(ValueError, match="is no name of a codec"):
        fl.register_codec(name, Graph, write=write_graph, read=read_graph)


def test_a_codec_that_writes_nothing_is_named(encode: Encode) -> None:
    fl.register_codec("graph", Graph, write=lambda graph, path: None, read=read_graph)

    assert "its codec graph wrote nothing" in refusal(encode, Graph([]))


def test_what_a_reader_raises_is_told_with_the_input(encode: Encode) -> None:
    register_graph()
    product = encode(Graph([]))
    assert product.file is not None
    product.file.write_text("no json")

    assert "input data cannot be read as author:graph: json.decoder.JSONDecodeError" in unreadable(product)


def test_a_preview_that_fails_does_not_fail_the_step(encode: Encode) -> None:
    register_graph(preview=lambda graph: {"edges": 1 // 0})

    preview = encode(Graph([])).preview

    assert preview["kind"] == "none"
    assert preview["problem"].startswith("ZeroDivisionError")


def test_a_name_is_of_one_class(encode: Encode) -> None:
    register_graph()
    register_graph()

    with pytest.raises(ValueError, match="graph is registered for"):
        fl.register_codec("graph", Corpus, write=write_corpus, read=read_corpus)
    with pytest.raises(ValueError, match="type is one of"):
        register_graph(type="graph")


def test_a_dataclass_with_a_codec_is_one_output() -> None:
    assert hints.outputs_of(Corpus).is_record

    fl.register_codec("corpus", Corpus, write=write_corpus, read=read_corpus)

    assert hints.outputs_of(Corpus).fields == (("output", "any"),)
