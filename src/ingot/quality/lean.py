"""Reads LEAN's archives: a zip per symbol and day of minutes, or one per symbol of days.

Minutes are milliseconds since midnight New York, days `YYYYMMDD 00:00`; prices times 10,000, as in
the folder Data of QuantConnect/Lean.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa

from ingot.errors import CorruptFileError, QueryError
from ingot.folders import files_below
from ingot.quality.schemas import Field, Schema

if TYPE_CHECKING:
    from pathlib import Path

_SCALE: Final = 10_000
_MINUTES: Final = re.compile(r"(\d{8})_trade\.zip")
_COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")
_ZONE: Final = "America/New_York"
REGISTERED: Final = Schema("lean", tuple(Field(n, "number") for n in _COLUMNS))


def read(folder: Path, interval: str) -> tuple[str, pa.Table]:
    """Return the width of a folder's bars and the bars, of every symbol below it.

    Args:
        folder: LEAN's `minute` or `daily` folder, one of a symbol, or one archive.
        interval: 1m or 1d where the folder holds both; empty otherwise.

    Raises:
        QueryError: It holds no archive, or both kinds.
        CorruptFileError: An archive cannot be read.
    """
    there = files_below(folder) if folder.is_dir() else (folder,)
    archives = [path for path in there if path.suffix == ".zip" or path == folder]
    minutes = [p for p in archives if _MINUTES.fullmatch(p.name)]
    days = [p for p in archives if "_" not in p.name]
    if interval in {"", "1m"} and minutes and not (days and not interval):
        return "1m", _stacked([_minutes(p) for p in minutes])
    if interval in {"", "1d"} and days and not (minutes and not interval):
        return "1d", _stacked([_days(p) for p in days])
    both = bool(minutes and days)
    raise QueryError(
        f"{folder} holds archives of minutes and of days: add ?interval=1m or ?interval=1d."
        if both
        else f"{folder} holds no LEAN archive of {interval or 'trades'} (YYYYMMDD_trade.zip, or "
        "SYMBOL.zip)."
    )


def plain(frame: pl.DataFrame) -> pa.Table:
    """Return a frame as Arrow with strings as other libraries have them."""
    rows = frame.to_arrow()
    wide = {pa.large_string(), pa.string_view()}
    fields = [f.with_type(pa.string()) if f.type in wide else f for f in rows.schema]
    return rows.cast(pa.schema(fields))


def _stacked(frames: list[pl.DataFrame]) -> pa.Table:
    return plain(pl.concat(frames))


def _minutes(path: Path) -> pl.DataFrame:
    found = _MINUTES.fullmatch(path.name)
    day = pl.lit(found[1] if found else "").str.to_date("%Y%m%d")
    midnight = day.cast(pl.Datetime("ms")).dt.replace_time_zone(_ZONE)
    start = (midnight.dt.epoch("ms") + pl.col("time").cast(pl.Int64)) * 1_000_000
    rows = _rows(path).with_columns(
        symbol=pl.lit(path.parent.name.upper()), trade_date=day, bar_start_ns=start
    )
    return rows.select("symbol", "trade_date", "bar_start_ns", *_COLUMNS[1:])


def _days(path: Path) -> pl.DataFrame:
    rows = _rows(path).with_columns(
        symbol=pl.lit(path.stem.upper()),
        trade_date=pl.col("time").str.slice(0, 8).str.to_date("%Y%m%d"),
    )
    return rows.select("symbol", "trade_date", *_COLUMNS[1:])


def _rows(path: Path) -> pl.DataFrame:
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0])
        rows = pl.read_csv(
            io.BytesIO(text), has_header=False, new_columns=list(_COLUMNS), infer_schema=False
        )
        prices = [
            (pl.col(n).cast(pl.Int64) / _SCALE).round(6).cast(pl.Decimal(18, 6))
            for n in _COLUMNS[1:5]
        ]
        return rows.with_columns(*prices, pl.col("volume").cast(pl.Decimal(18, 6)))
    except (zipfile.BadZipFile, IndexError, OSError, pl.exceptions.PolarsError) as exc:
        raise CorruptFileError(f"{path} is no LEAN archive of trades: {exc}") from exc
