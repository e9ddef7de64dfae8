"""Reads LEAN's archives: a zip per symbol and day of minutes, or one per symbol of days.

Minutes are milliseconds since midnight New York, days `YYYYMMDD 00:00`; prices times 10,000, as in
the folder Data of QuantConnect/Lean.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ingot.errors import CorruptFileError, QueryError
from ingot.folders import files_below
from ingot.model.vendor_files import inside, limited
from ingot.quality.checks.source_schemas import Field, Schema
from ingot.quality.reconcile import cells

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from ingot.model.vendor_files import InflateLimits

_PRICE_UNIT: Final = pl.lit("0.0001").cast(cells.SIX)
_DAY_MS: Final = 86_400_000
_MINUTES: Final = re.compile(r"(\d{8})_trade\.zip")
_COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")
_KEYS: Final = ("symbol", "trade_date", "bar_start_ns")
_ZONE: Final = "America/New_York"
_MOST_BYTES: Final = 64 << 20
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, IndexError, OSError),
    *(RuntimeError, NotImplementedError, pl.exceptions.PolarsError),
)
"""What an archive raises that is torn, empty, encrypted, packed otherwise, or not a table."""
REGISTERED: Final = Schema("lean", tuple(Field(n, "number") for n in _COLUMNS))


def read(folder: Path, interval: str, limits: InflateLimits) -> tuple[str, pa.Table, pa.Table]:
    """Return the width of a folder's bars, the bars of every symbol below it, and rows refused.

    Args:
        folder: LEAN's `minute` or `daily` folder, one of a symbol, or one archive.
        interval: 1m or 1d where the folder holds both; empty otherwise.
        limits: How far an archive may inflate; never beyond 64 MiB, a hundred times a real one.

    Raises:
        QueryError: It has no archive, or both kinds.
        CorruptFileError: An archive cannot be read, or inflates too far.
        LookAtDataError: A link leads out of the folder.
    """
    there = list(files_below(folder)) if folder.is_dir() else [folder]
    archives = [path for path in there if path.suffix == ".zip" or path == folder]
    for path in archives if folder.is_dir() else ():
        inside(folder, path)
    limits = limits.at_most(_MOST_BYTES)
    minutes = [p for p in archives if _MINUTES.fullmatch(p.name)]
    days = [p for p in archives if "_" not in p.name]
    if interval in {"", "1m"} and minutes and not (days and not interval):
        return "1m", *_stacked([_minutes(p, limits) for p in minutes])
    if interval in {"", "1d"} and days and not (minutes and not interval):
        return "1d", *_stacked([_days(p, limits) for p in days])
    both = bool(minutes and days)
    raise QueryError(
        f"{folder} has archives of minutes and of days: add ?interval=1m or ?interval=1d."
        if both
        else f"{folder} has no LEAN archive of {interval or 'trades'} (YYYYMMDD_trade.zip, or "
        "SYMBOL.zip)."
    )


def _stacked(frames: list[pl.DataFrame]) -> tuple[pa.Table, pa.Table]:
    """Return the bars of archives, prices divided by 10,000, and their rows that cannot be read."""
    good, refused = cells.divided(pl.concat(frames), _COLUMNS[1:], _KEYS)
    prices = [(pl.col(n) * _PRICE_UNIT).cast(cells.SIX).alias(n) for n in _COLUMNS[1:5]]
    return cells.plain(good.select(*_KEYS, *_COLUMNS[1:]).with_columns(prices)), refused


def _minutes(path: Path, limits: InflateLimits) -> pl.DataFrame:
    found = _MINUTES.fullmatch(path.name)
    day = pl.lit(found[1] if found else "").str.to_date("%Y%m%d", strict=False)
    midnight = day.cast(pl.Datetime("ms")).dt.replace_time_zone(_ZONE)
    clock = pl.col("time").cast(pl.Int64, strict=False)
    clock = pl.when(clock.is_between(0, _DAY_MS)).then(clock)
    start = (midnight.dt.epoch("ms") + clock) * 1_000_000
    return _rows(path, limits).with_columns(
        symbol=pl.lit(path.parent.name.upper()), trade_date=day, bar_start_ns=start
    )


def _days(path: Path, limits: InflateLimits) -> pl.DataFrame:
    day = pl.col("time").str.slice(0, 8).str.to_date("%Y%m%d", strict=False)
    return _rows(path, limits).with_columns(
        symbol=pl.lit(path.stem.upper()),
        trade_date=day,
        bar_start_ns=day.cast(pl.Datetime("ns")).dt.epoch("ns"),
    )


def _rows(path: Path, limits: InflateLimits) -> pl.DataFrame:
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.infolist()[0]
            packed = min(member.compress_size, path.stat().st_size)
            inflating: Any = archive.open(member)
            with limited(inflating, lambda: packed, str(path), limits) as stream:
                text = stream.read()
        rows = pl.read_csv(
            io.BytesIO(text), has_header=False, new_columns=list(_COLUMNS), infer_schema=False
        )
        return rows.select(_COLUMNS).with_row_index(cells.ROW, 1)
    except _UNREADABLE as exc:
        raise CorruptFileError(f"{path} is not a LEAN archive of trades: {exc}") from exc
