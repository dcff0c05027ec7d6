"""Two users or it moves home: what only one part needs belongs inside that part."""

from __future__ import annotations

import grimp
from tests.architecture.tree import SERVICES

#: Ends of the tree: their users are people and scripts.
ENDS = {"foldline.cli", "foldline.sdk", "foldline.testing"}


def part(module: str) -> str:
    """The sub-package of libs, or the service, that a module belongs to."""
    first, *rest = module.split(".")
    return f"{first}.{rest[0]}" if first == "foldline" and rest else first


def test_every_part_of_libs_has_two_users() -> None:
    packages = [path.name for path in SERVICES.glob("*/foldline_*") if (path / "__init__.py").exists()]
    graph = grimp.build_graph("foldline", *packages, cache_dir=None)

    lonely = {}
    for name in sorted(graph.find_children("foldline")):
        modules = {name} | graph.find_descendants(name)
        importers = {
            part(one) for module in modules for one in graph.find_modules_that_directly_import(module)
        }
        users = importers - {name}
        if name not in ENDS and len(users) < 2:
            lonely[name] = sorted(users)

    assert lonely == {}
