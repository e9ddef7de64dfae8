"""What no loader can beat here: inflate alone, inflate and parse, write alone."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
from isal import igzip

from benchmarks.clock import timed
from benchmarks.market import Market
from benchmarks.peers.polars_bare import SCHEMA

_PIECE = 4 << 20
_FILES = 3


def main() -> None:
    """Run: floors TREE OUT; at most three files."""
    files = Market(Path(sys.argv[1])).files()[:_FILES]
    out = Path(sys.argv[2]) / "floor.parquet"
    rows = _rows(files)
    with timed("inflate", rows=rows) as figures:
        figures["bytes"] = sum(_inflated(path) for path in files)
    exact = {n: pl.Decimal(18, 6) if kind == pl.Float64 else kind for n, kind in SCHEMA.items()}
    for step, schema in (("parse doubles", SCHEMA), ("parse decimals", exact)):
        with timed(step) as figures:
            for path in files:
                # The greatest of each column: everything is parsed and nothing is kept.
                pl.scan_csv(path, schema=schema).select(pl.all().max()).collect(engine="streaming")
            figures["rows"] = rows
    frames = [pl.read_csv(path, schema=exact) for path in files]
    with timed("write") as figures:
        for frame in frames:
            frame.write_parquet(out, compression="zstd")
        figures["rows"] = sum(frame.height for frame in frames)
    out.unlink()


def _inflated(path: Path) -> int:
    size = 0
    with igzip.open(path, "rb") as file:  # type: ignore[no-untyped-call] # half a stub
        while piece := file.read(_PIECE):
            size += len(piece)
    return size


def _rows(files: list[Path]) -> int:
    return sum(pl.scan_csv(path, schema=SCHEMA).select(pl.len()).collect().item() for path in files)


if __name__ == "__main__":
    main()
