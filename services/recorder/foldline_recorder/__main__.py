"""`python -m foldline_recorder`."""

from foldline.chassis import lifecycle
from foldline_recorder.app import open_and_serve
from foldline_recorder.settings import Settings


def main() -> None:
    lifecycle.run(open_and_serve, Settings, service="recorder")


if __name__ == "__main__":
    main()
