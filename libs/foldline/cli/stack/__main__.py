"""`python -m foldline.cli.stack OPTIONS`: the supervisor that `foldline up --detach` leaves behind."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from foldline.chassis.clock import SystemClock
from foldline.cli.stack.installation import Options, StartFailed, run
from foldline.cli.stack.lock import AlreadyRunning


def main() -> int:
    options = msgspec.json.decode(sys.argv[1], type=Options)
    try:
        asyncio.run(run(options, ready=lambda _state: note("ready"), note=note))
    except (StartFailed, AlreadyRunning) as error:
        note(str(error))
        return 1
    return 0


def note(text: str) -> None:
    print(f"{SystemClock().now().isoformat(timespec='milliseconds')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
