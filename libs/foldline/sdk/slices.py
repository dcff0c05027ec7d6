"""Which part of a module a step is, and which modules a part names: rules over syntax trees.

Nothing here runs or imports what it looks at. What cannot be seen from the text raises Unseen.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping

_DYNAMIC_MODULES = frozenset(
    {
        *("importlib", "runpy", "pkgutil", "imp", "zipimport", "builtins", "inspect", "gc", "ctypes", "code"),
        *("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "copyreg"),
        *("subprocess", "pty", "site", "pydoc", "unittest", "pytest", "hydra"),
    }
)
"""Modules that find code by other ways than an import statement."""

_DYNAMIC_NAMES = frozenset(
    {"__import__", "exec", "eval", "compile", "globals", "locals", "vars", "dir", "breakpoint", "help"}
)

_DYNAMIC_ATTRIBUTES = frozenset(
    {
        *(
            "__globals__",
            "__builtins__",
            "__subclasses__",
            "__import__",
            "__loader__",
            "__code__",
            "f_globals",
        ),
        *("__spec__", "__path__", "__dict__", "import_module", "_getframe", "meta_path", "path_hooks"),
        *("system", "popen", "posix_spawn", "posix_spawnp", "startfile"),
        *(f"exec{end}" for end in ("v", "ve", "vp", "vpe", "l", "le", "lp", "lpe")),
        *(f"spawn{end}" for end in ("v", "ve", "vp", "vpe", "l", "le", "lp", "lpe")),
    }
)

_OF_SYS = frozenset({"modules", "path"})
_OURS = ("foldline",)


class Unseen(Exception):
    """The text does not tell what else belongs to it."""


def parsed(source: str) -> ast.Module:
    """The tree of a module. Raises Unseen where it reaches for code in a way that cannot be followed."""
    tree = ast.parse(source)
    _refuse_unseen(tree)
    return tree


def of_step(source: str, function: str) -> ast.Module:
    """The module without the steps and workflows that `function` does not need. Raises Unseen."""
    tree = ast.parse(source)
    ours = _names_of_ours(tree)
    loose: dict[str, list[ast.stmt]] = {}
    kept: list[ast.stmt] = []
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and _is_declared(statement, ours):
            loose.setdefault(statement.name, []).append(statement)
        elif (name := _command_name(statement, ours)) is not None:
            loose.setdefault(name, []).append(statement)
        else:
            kept.append(statement)
    wanted = {function}
    queue: list[ast.stmt] = [*kept, *loose.get(function, [])]
    for statement in queue:
        for name in _mentioned(statement):
            if name in loose and name not in wanted:
                wanted.add(name)
                queue.extend(loose[name])  # the list is the queue
    dropped = {id(one) for name, found in loose.items() if name not in wanted for one in found}
    body = [one for one in tree.body if id(one) not in dropped]
    for statement in loose.get(function, []):
        if isinstance(statement, ast.FunctionDef):
            statement.decorator_list = []  # its options are in the graph
    part = ast.Module(body=body, type_ignores=[])
    _refuse_unseen(part)
    return part


def names(tree: ast.Module, module: str, *, is_package: bool, known: Mapping[str, object]) -> Iterator[str]:
    """Modules among `known` that the tree of `module` imports or names. Raises Unseen for a star import."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield from _known(alias.name, known)
            case ast.ImportFrom():
                origin = _origin(node, module, is_package)
                yield from _known(origin, known)
                for alias in node.names:
                    if alias.name == "*" and _is_inside(origin, known):
                        raise Unseen(f"imports everything of {origin}")
                    yield from _known(f"{origin}.{alias.name}" if origin else alias.name, known)
            case ast.Constant(value=str() as text):
                if text.endswith((".py", ".pyc")):
                    raise Unseen(f"names a file of code: {text}")
                dotted = text.partition(":")[0].strip().replace("/", ".")
                if dotted in known and dotted != module:
                    yield dotted


def _known(dotted: str, known: Collection[str]) -> Iterator[str]:
    """A module, or the package that has it where it is no module itself (a name, or a namespace)."""
    while dotted:
        if dotted in known:
            yield dotted
            return
        dotted = dotted.rpartition(".")[0]


def _is_inside(dotted: str, known: Collection[str]) -> bool:
    return any(name == dotted or name.startswith(f"{dotted}.") for name in known) or not dotted


def _origin(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """The dotted name behind `from`, relative ones resolved."""
    if not node.level:
        return node.module or ""
    parts = module.split(".") if is_package else module.split(".")[:-1]
    parts = parts[: len(parts) - (node.level - 1)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _mentioned(statement: ast.stmt) -> Iterator[str]:
    """Every name in it. Whoever takes a step from its module as an attribute has to import the module,
    and so gets the whole of it."""
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name):
                yield name
            case ast.Global(names=found) | ast.Nonlocal(names=found):
                yield from found
            case ast.alias(name=name, asname=other):
                yield other or name


def _names_of_ours(tree: ast.Module) -> frozenset[str]:
    """Names at the top of the module that stand for foldline or something of it, and for nothing else."""
    found: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            found |= {one.asname or one.name.partition(".")[0] for one in statement.names if _ours(one.name)}
        elif isinstance(statement, ast.ImportFrom) and not statement.level and _ours(statement.module or ""):
            found |= {one.asname or one.name for one in statement.names}
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and _is_store(node)}
    bound |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return frozenset(found - bound)


def _is_store(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _ours(dotted: str) -> bool:
    return dotted.partition(".")[0] in _OURS


def _is_declared(function: ast.FunctionDef, ours: frozenset[str]) -> bool:
    """Is it a step or workflow whose definition does nothing but declare it?"""
    if not function.decorator_list or not all(_is_ours(one, ours) for one in function.decorator_list):
        return False
    arguments = function.args
    evaluated: list[ast.expr | None] = [*arguments.defaults, *arguments.kw_defaults, function.returns]
    every = (
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    )
    evaluated += [one.annotation for one in every if one is not None]
    evaluated += function.decorator_list
    return all(_is_harmless(one, ours) for one in evaluated if one is not None)


def _command_name(statement: ast.stmt, ours: frozenset[str]) -> str | None:
    """The name of `NAME = fl.command(...)`, which does nothing but declare one; None for anything else."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=called) as value):
            return name if _is_ours(called, ours, ("", "command")) and _is_harmless(value, ours) else None
    return None


def _is_ours(
    decorator: ast.expr, ours: frozenset[str], known: Collection[str] = ("", "step", "workflow")
) -> bool:
    """`@fl.step`, `@fl.workflow`, `@step`, each also called."""
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    last = decorator.attr if isinstance(decorator, ast.Attribute) else ""
    while isinstance(decorator, ast.Attribute):
        decorator = decorator.value
    return isinstance(decorator, ast.Name) and decorator.id in ours and last in known


def _is_harmless(expression: ast.expr, ours: frozenset[str]) -> bool:
    """Does evaluating it call nothing but what foldline has?"""
    for node in ast.walk(expression):
        if isinstance(node, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(node, ast.Call):
            called = node.func
            while isinstance(called, ast.Attribute):
                called = called.value
            if not (isinstance(called, ast.Name) and called.id in ours):
                return False
    return True


def _refuse_unseen(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                found = [one.name for one in node.names if _is_dynamic(one.name) or _is_hidden_sys(one)]
            case ast.ImportFrom():
                inside = _DYNAMIC_ATTRIBUTES | (_OF_SYS if node.module == "sys" else frozenset())
                found = [one.name for one in node.names if one.name in inside]
                found += [node.module] if node.module and not node.level and _is_dynamic(node.module) else []
            case ast.Name(id=name):
                found = [name] if name in _DYNAMIC_NAMES or name in _DYNAMIC_ATTRIBUTES else []
            case ast.Attribute(attr=name, value=owner):
                is_of_sys = name in _OF_SYS and isinstance(owner, ast.Name) and owner.id == "sys"
                found = [name] if name in _DYNAMIC_ATTRIBUTES or is_of_sys else []
            case _:
                continue
        if found:
            raise Unseen(f"uses {found[0]}")


def _is_hidden_sys(alias: ast.alias) -> bool:
    return alias.name == "sys" and alias.asname not in (None, "sys")


def _is_dynamic(dotted: str) -> bool:
    return dotted.partition(".")[0] in _DYNAMIC_MODULES
