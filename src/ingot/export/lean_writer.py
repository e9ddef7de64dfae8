"""Bars as LEAN reads them: zip archives of csv under `equity/usa`.

    equity/usa/minute/<ticker>/<YYYYMMDD>_trade.zip   ms since midnight New York, o, h, l, c, v
    equity/usa/{hour,daily}/<ticker>.zip              YYYYMMDD HH:MM, o, h, l, c, v

Prices are in ten-thousandths of a dollar, tickers in lower case, times those of New York's clock
(QuantConnect/Lean, Data/equity/readme.md).
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final

import polars as pl

from ingot.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

FORM: Final = "lean"
_RESOLUTIONS: Final = {"1m": "minute", "1h": "hour", "1d": "daily"}
_PRICES: Final = ("open", "high", "low", "close")
_PLACES: Final = 4
_DEFLATE_LEVEL: Final = 6
_FIRST_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_NEW_YORK: Final = "America/New_York"


def write(data: pa.Table, folder: Path, *, interval: str) -> int:
    """Write long bars as LEAN's archives; return how many prices had to be rounded.

    A price with more than four decimals is rounded half up, for LEAN has no more.

    Args:
        data: Long bars of one basis, by symbol and time.
        folder: What becomes LEAN's data folder.
        interval: 1m, 1h or 1d.

    Raises:
        QueryError: LEAN has no such bars, or two symbols would share one file.
    """
    frame, rounded = _frame(data, _resolution(interval, data))
    for path, member, text in _archives(frame, _RESOLUTIONS[interval]):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        _zip(folder / path, member, text)
    return rounded


def _resolution(interval: str, data: pa.Table) -> str:
    if interval not in _RESOLUTIONS:
        raise QueryError(
            f"LEAN has no bars of {interval}; ask for one of {', '.join(_RESOLUTIONS)}."
        )
    if missing := {"symbol", "trade_date", *_PRICES, "volume"} - set(data.column_names):
        raise QueryError(f"LEAN needs long bars; these rows lack {', '.join(sorted(missing))}.")
    return _RESOLUTIONS[interval]


def _frame(data: pa.Table, resolution: str) -> tuple[pl.DataFrame, int]:
    """Return ticker, day, label, prices and volume as text, and how many prices were rounded."""
    rows = pl.DataFrame(pl.from_arrow(data))
    tickers = _tickers(rows["symbol"])
    rounded = 0
    columns = {"ticker": tickers}
    if resolution == "daily":
        columns["day"] = rows["trade_date"].dt.to_string("%Y%m%d")
        columns["label"] = columns["day"] + " 00:00"
    else:
        clock = rows["bar_start"].dt.convert_time_zone(_NEW_YORK)
        columns["day"] = clock.dt.to_string("%Y%m%d")
        columns["label"] = clock.dt.to_string("%Y%m%d %H:%M")
        if resolution == "minute":
            minutes = clock.dt.hour().cast(pl.Int64) * 60 + clock.dt.minute().cast(pl.Int64)
            columns["label"] = (minutes * 60_000).cast(pl.String)
    for name in _PRICES:
        columns[name], inexact = _ten_thousandths(rows[name])
        rounded += inexact
    columns["volume"] = _shortest(rows["volume"])
    return pl.DataFrame(columns), rounded


def _tickers(symbols: pl.Series) -> pl.Series:
    lower = symbols.str.to_lowercase()
    pairs = pl.DataFrame({"symbol": symbols, "ticker": lower}).unique().sort("symbol")
    shared = pairs.filter(pl.col("ticker").is_duplicated())
    if len(shared):
        raise QueryError(
            f"LEAN's files are named in lower case, where {' and '.join(shared['symbol'][:2])} "
            "are one; export them one by one."
        )
    bad = pairs.filter(pl.col("ticker").str.contains(r"[/\\\x00-\x1f]|^\.+$|^$"))
    if len(bad):
        raise QueryError(f"The symbol {bad['symbol'][0]!r} cannot be the name of a file.")
    return lower


def _ten_thousandths(prices: pl.Series) -> tuple[pl.Series, int]:
    kind = prices.dtype
    if isinstance(kind, pl.Decimal) and kind.scale >= _PLACES:
        unit = 10 ** (kind.scale - _PLACES)
        whole, half = (pl.lit(n, dtype=pl.Int128) for n in (unit, unit // 2))
        count = pl.lit(prices.to_physical().cast(pl.Int128))
        inexact = pl.select((count % whole != 0).sum()).item()
        return pl.select((count + half) // whole).to_series().cast(pl.String), int(inexact)
    scaled = prices.cast(pl.Float64) * 10**_PLACES
    nearest = (scaled + 0.5).floor()
    return nearest.cast(pl.Int64).cast(pl.String), int(((nearest - scaled).abs() > 1e-6).sum())  # noqa: PLR2004  # far below half a unit


def _shortest(volumes: pl.Series) -> pl.Series:
    text = volumes.cast(pl.String)
    trimmed = text.str.strip_chars_end("0").str.strip_chars_end(".")
    return text.zip_with(~text.str.contains(".", literal=True), trimmed)


def _archives(frame: pl.DataFrame, resolution: str) -> Iterator[tuple[str, str, str]]:
    """Yield the path of each archive, and the name and text of the csv in it."""
    minutes = resolution == "minute"
    by = ["ticker", "day"] if minutes else ["ticker"]
    values = ["label", *_PRICES, "volume"]
    for key, part in frame.group_by(by, maintain_order=True):
        text = part.select(values).write_csv(include_header=False, quote_style="never")
        ticker = str(key[0])
        if minutes:
            path = f"equity/usa/minute/{ticker}/{key[1]}_trade.zip"
            yield path, f"{key[1]}_{ticker}_minute_trade.csv", text
        else:
            yield f"equity/usa/{resolution}/{ticker}.zip", f"{ticker}.csv", text


def _zip(path: Path, member: str, text: str) -> None:
    """Write an archive whose bytes do not tell when, where or by whom it was made."""
    entry = zipfile.ZipInfo(member, date_time=_FIRST_ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(entry, text.encode(), compresslevel=_DEFLATE_LEVEL)
