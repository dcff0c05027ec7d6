"""PIL images and matplotlib figures as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foldline.runtime.codecs.port import NotStorable, Written, is_a


class ImageCodec:
    encoding = "png"
    type = "image"

    def takes(self, value: object) -> bool:
        return is_a(value, "PIL", "Image") or is_a(value, "matplotlib", "Figure")

    def write(self, value: Any, target: Path) -> Written:
        if is_a(value, "matplotlib", "Figure"):
            value.savefig(target, format="png", metadata={"Software": None})
            width, height = (round(inches * value.dpi) for inches in value.get_size_inches())
            return Written({"width": width, "height": height}, f"{target.name}.png")
        try:
            value.save(target, format="PNG")
        except (OSError, ValueError) as error:
            raise NotStorable(f"PNG has no mode {value.mode}; convert it first: {error}") from error
        return Written(
            {"width": value.width, "height": value.height, "mode": value.mode}, f"{target.name}.png"
        )

    def read(self, path: Path, filename: str) -> object:
        import PIL.Image

        del filename
        image = PIL.Image.open(path)
        image.load()
        return image
