"""`python -m foldline_gateway`."""

from __future__ import annotations

from typing import NoReturn

from foldline.chassis import lifecycle
from foldline_gateway.app import main as serve
from foldline_gateway.settings import Settings


def main() -> NoReturn:
    lifecycle.run(serve, Settings, service="gateway")


if __name__ == "__main__":
    main()
