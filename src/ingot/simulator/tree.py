"""Files of the simulated tree: written whole or not at all, and only where they differ."""

from __future__ import annotations

import io
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from errno import EDQUOT, ENOSPC
from hashlib import file_digest
from typing import TYPE_CHECKING, Final

from ingot.errors import ConfigError, StorageFullError
from ingot.folders import names
from ingot.simulator.truth import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import polars as pl

_MANIFEST: Final = "market.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a tree was made of; a tree holds one market, over a span that may grow."""

    seed: int
    symbols: int
    options_contracts: int
    start: date
    end: date

    def grown(self, other: Manifest) -> Manifest:
        """Return this market over both spans.

        Raises:
            ConfigError: The other tree holds another market.
        """
        for name in ("seed", "symbols", "options_contracts"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ConfigError(
                    f"The folder has a market with {name} {theirs}, not {mine}. "
                    "Ask for the same market, or write to another folder."
                )
        start, end = min(self.start, other.start), max(self.end, other.end)
        return Manifest(self.seed, self.symbols, self.options_contracts, start, end)


def read_manifest(out: Path) -> Manifest | None:
    """Return what the tree at `out` was made of; None for a folder that is new or empty.

    Raises:
        ConfigError: The folder holds something else.
    """
    path = out / FOLDER / _MANIFEST
    if path.exists():
        found = json.loads(path.read_text())
        start, end = (date.fromisoformat(found.pop(name)) for name in ("start", "end"))
        return Manifest(**found, start=start, end=end)
    if out.exists() and (not out.is_dir() or names(out)):
        raise ConfigError(
            f"{out} is not empty and was not written by the simulator. Name a new folder."
        )
    return None


def write_manifest(out: Path, manifest: Manifest) -> None:
    """Write what the tree is made of."""
    text = json.dumps(asdict(manifest), default=str, indent=1) + "\n"
    write_bytes(out, out / FOLDER / _MANIFEST, [text.encode()])


def write_bytes(
    out: Path, path: Path, pieces: Iterable[bytes], *, keep_share: float | None = None
) -> tuple[str, int, bool]:
    """Write the pieces to `path` unless it already holds them.

    Args:
        out: The tree's root, where unfinished files wait.
        path: The file.
        pieces: Its bytes.
        keep_share: Cut the file to this share of its size (a torn file).

    Returns:
        SHA-256, size in bytes, and whether the file on disk changed.
    """
    unfinished = out / FOLDER / f".unfinished-{os.getpid()}"
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    with unfinished.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        if keep_share is not None:
            file.truncate(int(file.tell() * keep_share))
    digest, size = digest_of(unfinished), unfinished.stat().st_size
    if path.exists() and path.stat().st_size == size and digest_of(path) == digest:
        unfinished.unlink()
        return digest, size, False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(path)
    return digest, size, True


def write_frame(out: Path, path: Path, frame: pl.DataFrame) -> None:
    """Write a frame as Parquet, unless the file already holds the same bytes."""
    packed = io.BytesIO()
    frame.write_parquet(packed, compression="zstd", compression_level=1)
    write_bytes(out, path, [packed.getvalue()])


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Translate errors of the file system into ours.

    Raises:
        StorageFullError: The disk is full.
        ConfigError: The folder cannot be written.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in {ENOSPC, EDQUOT}:
            raise StorageFullError(
                f"The disk of {out} is full. Free some space and run the same command again: "
                "files that are there are not written twice."
            ) from exc
        raise ConfigError(f"{out} cannot be written: {exc}. Name another folder.") from exc
