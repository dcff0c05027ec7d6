"""PIL images and matplotlib figures as PNG."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from foldline.runtime.codecs.port import NotStorable, Written, is_a, reader

_THUMBNAIL = (128, 128)
_LARGEST_THUMBNAIL = 20 * 1024


class ImageCodec:
    encoding = "png"
    type = "image"

    def takes(self, value: object) -> bool:
        return is_a(value, "PIL", "Image") or is_a(value, "matplotlib", "Figure")

    def write(self, value: Any, target: Path) -> Written:
        if is_a(value, "matplotlib", "Figure"):
            value.savefig(target, format="png", metadata={"Software": None})
            width, height = (round(inches * value.dpi) for inches in value.get_size_inches())
            facts = {"width": width, "height": height}
        else:
            try:
                value.save(target, format="PNG")
            except (OSError, ValueError) as error:
                raise NotStorable(f"PNG has no mode {value.mode}; convert it first: {error}") from error
            facts = {"width": value.width, "height": value.height, "mode": value.mode}
        return Written(
            facts, f"{target.name}.png", lambda: {"kind": "image", **facts, "thumbnail": _thumbnail(target)}
        )

    def read(self, path: Path, filename: str) -> object:
        del filename
        image = reader("PIL.Image", "pillow").open(path, formats=["PNG"])
        image.load()
        return image


def _thumbnail(path: Path) -> str:
    """A small PNG in base64; nothing where even that is large."""
    import PIL.Image

    with PIL.Image.open(path, formats=["PNG"]) as image:
        small = image.convert("RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB")
        small.thumbnail(_THUMBNAIL)
    content = io.BytesIO()
    small.save(content, format="PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode() if content.tell() <= _LARGEST_THUMBNAIL else ""
