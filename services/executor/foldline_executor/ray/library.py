"""A copy of our code for steps, so that it need not be installed on the nodes of a cluster."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from foldline.runtime import jobs


def copy_of_runtime(folder: Path) -> Path:
    """What goes on PYTHONPATH; below `folder`, made once for each content."""
    source = Path(jobs.__file__).parent.parent
    files = sorted(source.rglob("*.py"))
    content = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    target = folder / f"library-{content}"
    if not target.exists():
        partial = folder / f"library-{content}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        for path in files:
            copy = partial / "foldline" / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        partial.rename(target)
    return target
