"""The one way in which folders are listed: completely, or not at all.

`os.walk` and `Path.glob` pass over what they cannot list, so that a failing disk looks like an
empty folder. These raise; a test holds the rest of the code to them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """Return what is in a folder, by name; nothing where there is no such folder.

    Raises:
        OSError: The folder cannot be listed to its end.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def names(folder: Path | str) -> list[str]:
    """Return the names in a folder, in no order; nothing where there is no such folder.

    Raises:
        OSError: The folder cannot be listed to its end.
    """
    try:
        return os.listdir(folder)  # noqa: PTH208 - three times faster than Path.iterdir
    except FileNotFoundError:
        return []


def files_below(folder: Path | str) -> Iterator[Path]:
    """Yield every file below a folder, folder by folder and by name; links are not followed.

    Raises:
        OSError: A folder cannot be listed to its end.
    """
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(entry.path)
        else:
            yield Path(entry.path)
