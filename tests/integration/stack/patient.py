"""A service for the nursery: says who it is, then waits; ends with 3 where its environment says so."""

import json
import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    said = {
        "parent": os.getppid(),
        "leads": os.getsid(0) == os.getpid(),
        "environment": dict(os.environ),  # noqa: TID251 - what it was given
        "arguments": sys.argv,
        "loaded": "foldline.chassis.rpc" in sys.modules,
        "descriptors": sorted(int(one.name) for one in Path("/proc/self/fd").iterdir())[:-1],  # but its own
    }
    print(json.dumps(said), flush=True)  # noqa: T201
    if os.environ.get("ENDS"):  # noqa: TID251
        sys.exit(3)
    signal.pause()
