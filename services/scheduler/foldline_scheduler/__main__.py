"""`python -m foldline_scheduler`."""

from foldline.chassis import lifecycle
from foldline_scheduler.app import open_and_serve
from foldline_scheduler.settings import Settings


def main() -> None:
    lifecycle.run(open_and_serve, Settings, service="scheduler")


if __name__ == "__main__":
    main()
