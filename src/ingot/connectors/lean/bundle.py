"""What is landed of LEAN: a factor file with the map file that names its symbols.

A factor file says when factors changed, its map file under which symbol that was; neither gives
an action alone. Both are landed whole, each below a line with its path:

    # factor_files/bac.csv
    19980102,0.5454956,0.5,1
    # map_files/bac.csv
    19980102,nb,N
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ingot.errors import CorruptFileError

FACTORS: Final = "factor_files"
MAPS: Final = "map_files"
_MARK: Final = "# "


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one of the files; the number counts the lines of its own file from 1."""

    number: int
    raw: str
    parts: tuple[str, ...]


def joined(files: dict[str, bytes]) -> bytes:
    """Return the landed bytes of files by their path, in the order given."""
    return b"".join(
        f"{_MARK}{path}\n".encode() + content.rstrip(b"\r\n") + b"\n"
        for path, content in files.items()
    )


def split(content: bytes, name: str) -> dict[str, list[Line]]:
    """Return the lines of each landed file by its folder, empty lines left out.

    Raises:
        CorruptFileError: The bytes are no text, or hold no file.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise CorruptFileError(
            f"{name} is not text: {exc}. Nothing of it was loaded; restore the file."
        ) from exc
    found: dict[str, list[Line]] = {}
    lines: list[Line] = []
    number = 0
    for raw in text.splitlines():
        if raw.startswith(_MARK):
            lines = found.setdefault(raw.removeprefix(_MARK).split("/")[0], [])
            number = 0
            continue
        number += 1
        if raw.strip():
            lines.append(Line(number, raw, tuple(part.strip() for part in raw.split(","))))
    if not any(found.values()):
        raise CorruptFileError(f"{name} is empty. Nothing of it was loaded; restore the file.")
    return found
