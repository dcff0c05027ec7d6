"""The digest of the code of a step: everything in the bundle that can change what the step does.

Forks and the cache compare it, so that a change reruns what it touches and nothing else. The rule errs on the
side of running again. Part of a step's code are:

* its module without the definitions of other steps and workflows that are nowhere named in what is left, as
  Python reads it: without comments and layout, with docstrings, since libraries read those;
* the whole of every module of the bundle that this part imports, and of what those import, inside functions
  too; of what it names in a string, since modules can be started by name; and of the packages around;
* every file of the bundle that is no Python source, and Python files that Python imports by itself.

Of a command it is what it says, and where that is a script, its file and the files that it names.

Options in `@fl.step(...)` are no part of it: those that matter are in the graph. Where code may reach for
other code in a way that cannot be seen from its text (`importlib`, `eval`, `globals`, star imports, pickles,
other programs, ...) the digest is that of the whole bundle. What no text shows is not seen: a library that
imports what a data file names, or a step that reads the sources of others as data.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from foldline.sdk import bundle, slices
from foldline.sdk.programs import Command, Said
from foldline.sdk.steps import Step

_ALWAYS = frozenset({*sys.stdlib_module_names, "sitecustomize", "usercustomize"})
"""Top modules of a bundle with such names are imported by others than the bundle's code."""


class Codes:
    """The digests of the steps of one bundle: its Python sources, and what stands for its other files, by
    path from its root."""

    def __init__(
        self, sources: Mapping[str, str], others: Mapping[str, str], texts: Mapping[str, str] | None = None
    ) -> None:
        # A package hides a module of the same name beside it.
        in_order = sorted(sources, key=lambda path: path.endswith("/__init__.py"))
        self._modules = {name: sources[path] for path in in_order if (name := _module_name(path))}
        self._packages = {_module_name(path) for path in sources if path.endswith("/__init__.py")}
        self._data = others
        self._texts = {**(texts or {}), **sources}
        self._whole = _digest({**sources, **others})
        self.of = cache(self._of)

    @classmethod
    def read(cls, root: Path) -> Codes:
        """The codes of what a bundle of the folder `root` would hold."""
        sources: dict[str, str] = {}
        others: dict[str, str] = {}
        texts: dict[str, str] = {}
        for count, file in enumerate(bundle.files(root)):
            path = file.relative_to(root).as_posix()
            stat = file.stat()
            if count >= bundle.FILES_LIMIT or stat.st_size > bundle.FILE_LIMIT_BYTES:
                # No release can hold it, a local run may: its size and time stand for what is in it.
                others[path] = f"{stat.st_size} {stat.st_mtime_ns}"
                continue
            content = file.read_bytes()
            text = _text(content)
            if text is not None and path.endswith(".py"):
                sources[path] = text
                continue
            others[path] = hashlib.sha256(content).hexdigest()
            if text is not None:
                texts[path] = text
        return cls(sources, others, texts)

    def __call__(self, step: Step[..., Any]) -> str:
        if isinstance(step, Command):
            return self._of_command(step.said)
        if step.policy.allow_pickle:
            return self._whole  # unpickling imports whatever the pickle names
        return self.of(step.function.__module__, step.function.__name__)

    def _of(self, module: str, function: str) -> str:
        source = self._modules.get(module)
        if source is None:
            return self._whole
        try:
            part = slices.of_step(source, function)
            found = {f"{module}:{function}": ast.unparse(part), **self._reached(module, part)}
        except (slices.Unseen, SyntaxError, RecursionError, ValueError):
            return self._whole
        return _digest({**found, **self._data})

    def _of_command(self, said: Said) -> str:
        """A line or arguments reach no file of the bundle; a script those that it, or one of them, names."""
        found = {"command": repr((said.line, said.script, said.arguments, said.image, said.metrics))}
        found |= {f"variable {name}": value for name, value in said.variables.items()}
        paths = {*self._texts, *self._data}
        queue = [str(PurePosixPath(said.script))] if said.script else []
        for path in queue:
            text = self._texts.get(path, "")
            found[f"file {path}"] = text or self._data.get(path, "")
            named = [one for one in sorted(paths) if f"file {one}" not in found and _names(text, one)]
            queue.extend(one for one in named if one not in queue)  # the list is the queue
        return _digest(found)

    def _reached(self, module: str, part: ast.Module) -> dict[str, str]:
        """Every module that may be imported once `part` of `module` is, as Python reads it."""
        found: dict[str, str] = {}
        around = [name for name in self._around(module) if name != module]
        queue = [*self._imported(module, part), *around, *(_ALWAYS & self._modules.keys())]
        for name in queue:
            if name in found:
                continue
            tree = slices.parsed(self._modules[name])
            found[name] = ast.unparse(tree)
            queue.extend(self._imported(name, tree))  # the list is the queue
        return found

    def _imported(self, module: str, tree: ast.Module) -> set[str]:
        """Modules of the bundle that the tree names, each with the packages around it."""
        named = set(slices.names(tree, module, is_package=module in self._packages, known=self._modules))
        return {inside for name in named for inside in self._around(name)}

    def _around(self, dotted: str) -> Iterable[str]:
        parts = dotted.split(".")
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[:length])
            if name in self._modules:
                yield name


def _names(text: str, path: str) -> bool:
    """Does a script name the file: by its name, or as the module or package that it is (part of)?"""
    file = PurePosixPath(path)
    words = {file.name, *file.parts[:-1]} | ({file.stem} if file.suffix == ".py" else set())
    return any(word in text for word in words)


def _text(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _module_name(path: str) -> str:
    """How the file is imported from the bundle's root; empty where it cannot be."""
    if not path.endswith(".py"):
        return ""
    parts = PurePosixPath(path).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def _digest(content: Mapping[str, str]) -> str:
    hasher = hashlib.sha256()
    for name in sorted(content):
        for text in (name, content[name]):
            data = text.encode("utf-8", "surrogatepass")
            hasher.update(len(data).to_bytes(8, "big") + data)
    return f"sha256:{hasher.hexdigest()}"
