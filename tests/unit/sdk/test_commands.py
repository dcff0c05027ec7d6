"""Declaring programs as steps: what they become in the graph, and which mistakes are named."""

from __future__ import annotations

import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest

import foldline as fl
from foldline.domain.spec import Command, Graph
from foldline.sdk import graphs, source
from foldline.sdk.codes import Codes
from foldline.sdk.problems import AuthoringError

FLOW = """
    import foldline as fl

    clean = fl.command(
        "clean",
        line='sort "$INPUT_TEXT" > "$OUTPUTS/sorted"; wc -l < "$INPUT_TEXT" > "$OUTPUTS/count"',
        inputs={"text": fl.File},
        outputs={"sorted": fl.File, "count": int},
        variables={"LC_ALL": "C"},
        run_timeout=60,
        memory="1GiB",
    )
    train = fl.command(
        "train", script="train.sh", inputs=["data", "rate"], outputs={"model": "model"},
        metrics="metrics.json", ranks=2, title="Train",
    )
    show = fl.command("show", arguments=["cat", "$(INPUT_MODEL)"], inputs=("model",), image="alpine:3")

    @fl.step(ranks=4)
    def text() -> fl.File:
        return fl.File("here")

    @fl.workflow
    def flow(rate: float = 0.1):
        cleaned = clean(text())
        model = train(cleaned.sorted, rate=rate)
        show.named("again").after(model)(model=model.model)
        return {"count": cleaned.count}
"""


def write(folder: Path, code: str = FLOW, **files: str) -> Path:
    (folder / "commandflow.py").write_text(textwrap.dedent(code))
    for name, text in {"train.sh": "echo 1", **files}.items():
        (folder / name).write_text(text)
    return folder / "commandflow.py"


def graph_of(folder: Path, code: str = FLOW, **files: str) -> Graph:
    return graphs.check(source.workflow(write(folder, code, **files))).require()


def problems_of(folder: Path, declared: str, call: str) -> list[Any]:
    code = f"import foldline as fl\n{declared}\n\n@fl.workflow\ndef flow():\n    {call}\n"
    (folder / "commandflow.py").write_text(code)
    return list(graphs.check(source.workflow(folder / "commandflow.py")).problems)


def test_commands_are_steps_of_the_graph(tmp_path: Path) -> None:
    graph = graph_of(tmp_path)

    steps = {step.name: step for step in graph.steps}
    clean, train, again = steps["clean"], steps["train"], steps["again"]
    assert [steps[name].kind for name in ("text", "clean", "train", "again")] == [
        "function",
        *["command"] * 3,
    ]
    assert clean.command is not None
    assert isinstance(clean.command, Command)
    assert clean.command.variables == {"LC_ALL": "C"}
    assert [(one.name, one.type) for one in clean.outputs] == [("sorted", "file"), ("count", "int")]
    assert clean.input_types == {"text": "file"}
    assert clean.timeouts.run_seconds == 60
    assert clean.resources.memory_bytes == 1024**3
    assert train.command == Command(script="train.sh", metrics_file="metrics.json")
    assert (train.ranks, train.title, steps["text"].ranks) == (2, "Train", 4)
    assert again.command == Command(arguments=("cat", "$(INPUT_MODEL)"), image="alpine:3")
    assert again.after == ("train",)
    assert graph.outputs["count"].output.name == "count"


def test_a_command_can_be_mapped(tmp_path: Path) -> None:
    code = """
        import foldline as fl
        double = fl.command("double", line='echo $((INPUT_X * INPUT_BY)) > "$OUTPUTS/result"',
                            inputs={"x": int, "by": int}, outputs={"result": int})

        @fl.workflow
        def flow():
            return {"all": fl.map(double, [1, 2, 3], by=2).result}
    """
    graph = graph_of(tmp_path, code)

    (each,) = graph.steps
    assert each.kind == "map"
    assert each.body.graph.steps[0].kind == "command"  # type: ignore[union-attr]  # it has one
    assert [(one.name, one.type) for one in each.outputs] == [("result", "list")]


@pytest.mark.parametrize(
    ("declared", "rule", "words"),
    [
        ('fl.command("a", line="x", inptus={})', "ILLEGAL_POLICY", "inptus"),
        ('fl.command("a", line="x", rank=2)', "ILLEGAL_POLICY", "did you mean ranks?"),
        ('fl.command("a", line=3)', "ILLEGAL_COMMAND", "line is 3"),
        ('fl.command("a", arguments="ls -l")', "ILLEGAL_COMMAND", "not a list of texts"),
        ('fl.command("a", arguments=["ls", 3])', "ILLEGAL_COMMAND", "not a list of texts"),
        ('fl.command("a", line="x", variables={"N": 3})', "ILLEGAL_VARIABLE", "N is 3"),
        ('fl.command("a", line="x", outputs={"m": "modle"})', "UNKNOWN_TYPE", "did you mean model?"),
        ('fl.command("a", line="x", inputs={"m": "tables"})', "UNKNOWN_TYPE", "did you mean table?"),
        ('fl.command("a", line="x", inputs=["a-b"])', "ILLEGAL_NAME", "'a-b'"),
        ('fl.command("a", line="x", outputs=["m"])', "ILLEGAL_COMMAND", "{name: type}"),
    ],
)
def test_a_wrong_declaration_is_named(tmp_path: Path, declared: str, rule: str, words: str) -> None:
    with pytest.raises(AuthoringError) as caught:
        problems_of(tmp_path, f"a = {declared}", "a()")

    (problem,) = caught.value.problems
    assert problem.rule == rule
    assert words in str(problem)
    assert problem.site.line == 2


@pytest.mark.parametrize(
    ("declared", "call", "rule", "words"),
    [
        ('a = fl.command("a")', "a()", "ILLEGAL_COMMAND", "exactly one of line, script and arguments"),
        ('a = fl.command("a", script="trian.sh")', "a()", "SCRIPT_MISSING", "did you mean train.sh?"),
        ('a = fl.command("a", line="x", variables={"PATH": "/"})', "a()", "ILLEGAL_VARIABLE", "PATH"),
        (
            'a = fl.command("a", line="x", outputs={"o": object})',
            "a()",
            "OUTPUT_NOT_LEAVABLE",
            "output o is any",
        ),
        ('a = fl.command("a", line="x", inputs=["b"])', "a(c=1)", "ILLEGAL_CALL", "a(b)"),
        ('a = fl.command("a", line="x", inputs={"b": int})', 'a("c")', "TYPE_MISMATCH", "takes int"),
        ('a = fl.command("a", line="x", ranks=-1)', "a()", "ILLEGAL_RANKS", "-1 ranks"),
    ],
)
def test_a_wrong_command_is_found_by_the_check(
    tmp_path: Path, declared: str, call: str, rule: str, words: str
) -> None:
    (tmp_path / "train.sh").write_text("echo")

    found = problems_of(tmp_path, declared, call)

    assert [problem.rule for problem in found] == [rule]
    assert words in str(found[0])


def test_a_command_outside_of_a_workflow_is_refused() -> None:
    with pytest.raises(AuthoringError, match="OUTSIDE_WORKFLOW"):
        fl.command("a", line="true")()


def codes_of(folder: Path, code: str = FLOW, **files: str) -> dict[str, str]:
    folder = Path(tempfile.mkdtemp(dir=folder))  # a module of a folder is imported once
    file = write(folder, code, **files)
    graph = graphs.check(source.workflow(file), codes=Codes.read(folder)).require()
    return {step.name: step.code for step in graph.steps}


def test_the_code_of_a_command_is_what_it_says(tmp_path: Path) -> None:
    before = codes_of(tmp_path)
    after = codes_of(tmp_path, FLOW.replace("sort ", "sort -u "), **{"notes.txt": "new"})

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"clean", "text"}, "every file that is no source belongs to a function"


def test_a_command_is_no_part_of_the_code_of_functions(tmp_path: Path) -> None:
    before = codes_of(tmp_path)
    after = codes_of(tmp_path, FLOW.replace("sort ", "sort -u "))

    assert {name for name in before if before[name] != after[name]} == {"clean"}


def test_the_code_of_a_script_is_its_file_and_the_files_that_it_names(tmp_path: Path) -> None:
    files = {"train.sh": "python model.py", "model.py": "import layers", "layers.py": "", "other.py": ""}
    before = codes_of(tmp_path, **files)

    def changed(**more: str) -> bool:
        return codes_of(tmp_path, **{**files, **more})["train"] != before["train"]

    assert changed(**{"train.sh": "python model.py --fast"})
    assert changed(**{"layers.py": "SIZE = 2"})
    assert not changed(**{"other.py": "SIZE = 2"})
    assert not changed()
