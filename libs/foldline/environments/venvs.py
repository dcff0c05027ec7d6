"""Virtual environments by digest: built once, complete or not there, never changed."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from foldline.chassis.clock import new_id
from foldline.domain import releases
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Environment
from foldline.environments import interpreters, uv

_READY = "ready"
_PARTIAL = ".tmp-"


async def build(environment: Environment, root: Path) -> Path:
    """The interpreter of the environment under `root`, building it if it is not there yet.

    Raises UNAVAILABLE ENVIRONMENT_FAILED with uv's explanation, or NO_SUCH_PYTHON.
    """
    digest = releases.digest(releases.canonical(environment))
    target = root / digest.removeprefix("sha256:")
    python = target / "bin" / "python"
    if (target / _READY).exists():
        return python
    base = await asyncio.to_thread(interpreters.find, environment.python)
    partial = root / f"{target.name}{_PARTIAL}{new_id()}"
    try:
        await _fill(partial, base, environment.lock)
        _publish(partial, target)
    except (uv.UvFailed, OSError) as error:
        message = f"the environment of the release could not be built: {error}"
        raise FoldlineError(Kind.UNAVAILABLE, "ENVIRONMENT_FAILED", message) from error
    finally:
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
    return python


def sweep(root: Path) -> None:
    """Remove what interrupted builds left. Only for whoever is alone on `root`."""
    for left in root.glob(f"*{_PARTIAL}*"):
        shutil.rmtree(left, ignore_errors=True)


async def _fill(folder: Path, base: Path, lock: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    # It is renamed when it is whole, so nothing inside may name its own path.
    await uv.install(["venv", "--quiet", "--relocatable", "--no-project", "--python", str(base), str(folder)])
    if lock:
        file = folder / "requirements.lock"
        file.write_text(lock, encoding="utf-8")
        interpreter = str(folder / "bin" / "python")
        await uv.install(["pip", "sync", "--quiet", "--require-hashes", "--python", interpreter, str(file)])


def _publish(partial: Path, target: Path) -> None:
    (partial / _READY).touch()
    try:
        partial.rename(target)
    except OSError:
        # Somebody else was faster; theirs is as good.
        if not (target / _READY).exists():
            raise
