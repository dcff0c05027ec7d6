"""Services pass artifacts on; what they are is decoded in steps' own processes alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SERVICES = ("registry", "scheduler", "executor", "recorder", "gateway")
LOADED = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_has_loaded_all_of_itself_can_decode_nothing(service: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, f"foldline_{service}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    loaded = set(json.loads(done.stdout))

    assert f"foldline_{service}.app" in loaded
    assert not {name for name in loaded if name.startswith("foldline.runtime.codecs")}
    assert not loaded & {"numpy", "pandas", "pyarrow", "skops", "sklearn", "safetensors"}
