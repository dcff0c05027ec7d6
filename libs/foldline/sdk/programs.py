"""Declaring steps that are no Python functions: `fl.command`.

    train = fl.command(
        "train",
        line='trainer --data "$INPUT_DATA" --rate "$INPUT_RATE" --to "$OUTPUTS/model"',
        inputs={"data": fl.File, "rate": float},
        outputs={"model": fl.File},
        metrics="metrics.json",
    )

In a workflow it is called like a step. The program finds each input in the variable INPUT_<NAME>, an artifact
as the path of its file, and leaves in the folder OUTPUTS what its outputs are, each under its name.

Standard library alone: step processes import it.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Unpack

from foldline.sdk import hints
from foldline.sdk.policies import Options, Policy, closest, policy_of
from foldline.sdk.problems import Site, call_site, refuse
from foldline.sdk.steps import Step

File = Path
"""Type of an input or output that is a file or a folder."""

TYPES = ("str", "int", "float", "bool", "json", "array", "table", "model", "image", "file")
"""Names of types, for those that Python has no class for."""

Type = str | type | Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What runs, as the author wrote it."""

    line: str
    script: str
    arguments: tuple[str, ...]
    image: str
    variables: Mapping[str, str]
    metrics: str


class Command(Step[..., Any]):
    """A declared program. Inside a workflow function a call records a use of it."""

    def __init__(
        self,
        name: str,
        title: str,
        said: Said,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        policy: Policy,
    ) -> None:
        super().__init__(_stand_in(name, inputs), name, title, policy)
        self.said = said
        self.site = call_site()
        self._inputs = {input_: kind for input_, kind in inputs.items() if kind != "any"}
        self._outputs = hints.Outputs(tuple(outputs.items()), is_record=True)

    @property
    def outputs(self) -> hints.Outputs:
        return self._outputs

    @property
    def input_types(self) -> dict[str, str]:
        return self._inputs

    @property
    def folder(self) -> Path:
        """Of the author's file: scripts are relative to it."""
        return Path(self.site.file).parent

    def __repr__(self) -> str:
        return f"<command {self.name}>"


def command(
    name: str,
    /,
    *,
    line: str = "",
    script: str = "",
    arguments: Sequence[str] = (),
    inputs: Mapping[str, Type] | Sequence[str] = (),
    outputs: Mapping[str, Type] | None = None,
    image: str = "",
    variables: Mapping[str, str] | None = None,
    metrics: str = "",
    title: str = "",
    **options: Unpack[Options],
) -> Command:
    """Declare a step that runs a program: a `line` for the shell, a `script` beside the author's file, or
    `arguments` (a program and what it is given; `$(INPUT_NAME)` in them is filled in).

    `inputs` and `outputs` are names with types: classes as in annotations of steps, or "table", "array",
    "model", "image". `image` is a container image to run in, `variables` are environment variables, `metrics`
    is a JSON file of numbers that it leaves in its working folder. `policies.Options` says the rest.
    """
    what = f"fl.command({name!r})"
    texts: dict[str, object] = {"line": line, "script": script, "image": image, "metrics": metrics}
    for option, text in texts.items():
        if not isinstance(text, str):
            raise refuse("ILLEGAL_COMMAND", what, f"{option} is {text!r}, not a text")
    if isinstance(arguments, str) or not all(isinstance(one, str) for one in arguments):
        raise refuse("ILLEGAL_COMMAND", what, f"arguments are {arguments!r}, not a list of texts")
    for variable, value in (variables or {}).items():
        if not all(isinstance(one, str) for one in (variable, value)):
            raise refuse("ILLEGAL_VARIABLE", what, f"variable {variable} is {value!r}, not a text")
    said = Said(
        line=line,
        script=script,
        arguments=tuple(arguments),
        image=image,
        variables=dict(variables or {}),
        metrics=metrics,
    )
    return Command(
        name,
        title,
        said,
        {one: _type(what, f"input {one}", kind, hints.input_type_of) for one, kind in _named(what, inputs)},
        {
            one: _type(what, f"output {one}", kind, hints.type_of)
            for one, kind in _mapping(what, "outputs", outputs or {}).items()
        },
        policy_of(options, what),
    )


def script_problem(declared: Command) -> tuple[str, str, Site] | None:
    """(rule, message, place) where the script that it names is not there."""
    script = declared.said.script
    if not script or (declared.folder / script).is_file():
        return None
    folder = (declared.folder / script).parent
    names = [one.name for one in folder.iterdir() if one.is_file()] if folder.is_dir() else []
    message = (
        f"runs script {script}, which is not beside {declared.site.file}{closest(Path(script).name, names)}"
    )
    return "SCRIPT_MISSING", message, declared.site


def _named(what: str, inputs: Mapping[str, Type] | Sequence[str]) -> list[tuple[str, Type]]:
    found: list[tuple[str, Type]]
    if isinstance(inputs, (list, tuple)) and all(isinstance(one, str) for one in inputs):
        found = [(one, "any") for one in inputs]
    else:
        found = list(_mapping(what, "inputs", inputs).items())
    for one, _ in found:
        if not one.isidentifier() or keyword.iskeyword(one):
            raise refuse("ILLEGAL_NAME", what, f"input {one!r} cannot be given by name: it is no Python name")
    return found


def _mapping(what: str, which: str, given: object) -> Mapping[str, Type]:
    if not isinstance(given, Mapping) or not all(isinstance(one, str) for one in given):
        raise refuse("ILLEGAL_COMMAND", what, f"{which} are {given!r}; write {{name: type}}")
    return given


def _type(what: str, where: str, kind: Type, of_class: Callable[[object], str]) -> str:
    if not isinstance(kind, str):
        return of_class(kind)
    if kind not in (*TYPES, "any"):
        message = f"{where} is of type {kind!r}, which there is not{closest(kind, TYPES)}"
        raise refuse("UNKNOWN_TYPE", what, message)
    return kind


def _stand_in(name: str, inputs: Mapping[str, str]) -> Callable[..., Any]:
    """A function with the signature of the command, for whoever looks at one."""

    def function(**_: object) -> NoReturn:
        message = "is a program and can only be called inside a workflow"
        raise refuse("OUTSIDE_WORKFLOW", f"command {name}", message)

    function.__name__ = function.__qualname__ = name
    by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(one, by_name) for one in inputs])
    vars(function)["__signature__"] = signature
    return function
