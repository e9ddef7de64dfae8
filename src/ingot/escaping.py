"""Text of vendors and users made safe to show: what steers a terminal, or hides, is spelled out."""

from __future__ import annotations

import re
from typing import Final

_UNSEEN: Final = (
    "\x00-\x1f\x7f-\x9f"  # C0 and C1 controls
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # shown as nothing
    "\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # zero width, bidi, line ends
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff"  # annotations, half pairs, tags
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"  # marks of other scripts
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
)
_CELL: Final = re.compile(f"[{_UNSEEN}]")
_MESSAGE: Final = re.compile(rf"(?![\n\t])[{_UNSEEN}]")


def escaped(text: str) -> str:
    r"""Return the text of one cell: every control or invisible character as its code point.

    >>> print(escaped("AA\u202ePL\x1b[2J\n"))
    AA\u202ePL\x1b[2J\x0a
    """
    return _CELL.sub(_code_point, text)


def escaped_lines(text: str) -> str:
    """Return a message with the same characters escaped; line ends and tabs stay."""
    return _MESSAGE.sub(_code_point, text)


def _code_point(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:  # noqa: PLR2004  # as in Python: \x1b, \u202e, \U000e0041
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004
