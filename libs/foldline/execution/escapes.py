"""Lines of steps made safe to show: steps write any bytes, and a terminal obeys some of them.

Escape sequences are taken out, colours too unless they are asked for; other control characters are spelled
out (\\x07), as are those that turn the direction of writing, with which text can look like other text.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SEQUENCE = re.compile(
    "\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, screen
    "|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)"  # OSC: titles, links, the clipboard
    "|[PX^_][^\x1b]*\x1b\\\\"  # DCS and its like
    r"|[ -/]+[0-~]|[0-OQ-WYZ`-~]"  # short ones: character sets, reset
    ")"
)
_COLOUR = re.compile("\x1b\\[[0-9;:]*m")
_PART = re.compile(f"({_SEQUENCE.pattern})")
_RESET = "\x1b[0m"


def plain(text: str) -> str:
    """Nothing in it that a terminal would obey."""
    if _UNSAFE.search(text) is None:
        return text
    return _spelled_out(_SEQUENCE.sub("", text))


def coloured(text: str) -> str:
    """The same, but colours and weights stay; they end with the line."""
    if _UNSAFE.search(text) is None:
        return text
    parts = _PART.split(text)
    kept = [
        _spelled_out(part) if place % 2 == 0 else part if _COLOUR.fullmatch(part) else ""
        for place, part in enumerate(parts)
    ]
    shown = "".join(kept)
    return shown + _RESET if "\x1b" in shown else shown


def _spelled_out(text: str) -> str:
    return _UNSAFE.sub(_spell, text)


def _spell(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
