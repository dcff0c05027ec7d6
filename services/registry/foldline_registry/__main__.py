"""`python -m foldline_registry`."""

from foldline.chassis import lifecycle
from foldline_registry.app import open_and_serve
from foldline_registry.settings import Settings


def main() -> None:
    lifecycle.run(open_and_serve, Settings, service="registry")


if __name__ == "__main__":
    main()
