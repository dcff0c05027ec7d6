"""`python -m foldline_executor`."""

from foldline.chassis import lifecycle
from foldline_executor.app import open_and_serve
from foldline_executor.settings import Settings


def main() -> None:
    lifecycle.run(open_and_serve, Settings, service="executor")


if __name__ == "__main__":
    main()
