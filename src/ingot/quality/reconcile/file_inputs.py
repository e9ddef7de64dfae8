"""Reads other systems' files as bars: a plain CSV, Yahoo's and Alpha Vantage's tables.

Each kind has a registered schema; other columns are reported as findings, and the file
is read as far as its registered columns allow.
"""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from ingot.errors import CorruptFileError, QueryError
from ingot.model.vendor_files import DEFAULT_LIMITS, GZIP, opened
from ingot.quality.checks.source_schemas import Field, Schema
from ingot.quality.reconcile import cells, lean_input
from ingot.quality.reconcile.inputs import INTERVALS, Named, Side

if TYPE_CHECKING:
    import pyarrow as pa

    from ingot.model.vendor_files import InflateLimits


def _fields(type_: str, names: str, *, optional: bool = True) -> tuple[Field, ...]:
    return tuple(Field(name, type_, optional=optional) for name in names.split())


_BAR: Final = (
    *_fields("timestamp", "time", optional=False),
    *_fields("number", "open high low close volume", optional=False),
)
_STATED: Final = _fields("number", "adj_close dividend split")
REGISTERED: Final = {
    "csv": Schema(
        "csv",
        (
            *_fields("string", "symbol"),
            *_BAR,
            *_fields("integer", "transactions"),
            *_STATED,
            *_fields("number", "vwap"),
            *_fields("string", "session source source_symbol"),
            *_fields("integer", "bars"),
        ),
    ),
    "alphavantage": Schema("alphavantage", _BAR),
    "yahoo": Schema(
        "yahoo",
        (*_BAR, *_STATED, *_fields("number", "capital_gains"), *_fields("boolean", "repaired")),
    ),
}
"""Columns of each kind of file under the names used here; the first schema is the contract."""
_ALIASES: Final = {
    **dict.fromkeys(("date", "datetime", "timestamp"), "time"),
    **dict.fromkeys(("trade_date", "bar_start", "window_start"), "time"),
    **dict.fromkeys(("adj close", "adjusted close", "adjusted_close"), "adj_close"),
    **dict.fromkeys(("dividends", "dividend amount"), "dividend"),
    "ticker": "symbol",
    "stock splits": "split",
    "capital gains": "capital_gains",
    "repaired?": "repaired",
    "n": "transactions",
}
_NUMBERS: Final = (*(f.name for f in (*_BAR[1:], *_STATED)), "transactions")
_PACKED: Final = (GZIP, b"\x28\xb5\x2f\xfd", b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
"""How gzip, Zstandard and zlib begin."""
_MOST_BYTES: Final = 1 << 30
_WHOLE: Final = re.compile(r"[+-]?\d+")
_EPOCHS: Final = {10: 10**9, 13: 10**6, 16: 10**3, 19: 1}
"""Nanoseconds of one unit of a time written as a number, by its digits."""


@dataclass(frozen=True)
class Read:
    """A file's bars, what it is, and the columns that it has."""

    side: Side
    rows: pa.Table
    observed: Schema
    registered: Schema
    refused: pa.Table
    """Rows that cannot be read: `cells.REFUSED`."""


def read(named: Named, side: Side, limits: InflateLimits = DEFAULT_LIMITS) -> Read:
    """Return the bars of a file.

    Args:
        named: Reader and path; the option `interval` overrides what the labels say.
        side: Its description.
        limits: How far a packed file may inflate; never beyond 1 GiB, for it is read at once.

    Raises:
        QueryError: There is no such file, or it names no symbol.
        CorruptFileError: It cannot be read, or inflates too far.
        LookAtDataError: A link leads out of a folder of archives.
    """
    path = Path(named.path).expanduser()
    if not path.exists():
        raise QueryError(f"There is no file {named.path} (side {named.text}).")
    if named.reader == "lean":
        interval, rows, refused = lean_input.read(path, named.options.get("interval", ""), limits)
        schema = lean_input.REGISTERED
        return Read(replace(side, interval=interval), rows, schema, schema, refused)
    try:
        text = pl.read_csv(_text(path, limits), infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, EOFError, UnicodeDecodeError, zlib.error) as exc:
        why = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise CorruptFileError(f"{named.path} cannot be read as CSV: {why}") from exc
    frame = _renamed(text)
    registered = REGISTERED[named.reader]
    observed = Schema(named.reader, tuple(_observed(frame, n) for n in frame.columns))
    if any(f.name not in frame.columns for f in registered.fields if not f.optional):
        return Read(side, _nothing(), observed, registered, cells.REFUSED.empty_table())
    bars, refused = _bars(frame, path, named, side)
    width = named.options.get("interval") or _interval(bars, named.path)
    return Read(replace(side, interval=width), _arrow(bars, width), observed, registered, refused)


def observed_columns(text: bytes) -> tuple[Field, ...]:
    """Return the columns of a delimited text as its header and first rows show them.

    Empty if it is not such a text.
    """
    if not text or text[:1] in b"{[<":
        return ()
    try:
        frame = pl.read_csv(text, infer_schema=False, truncate_ragged_lines=True)
    except pl.exceptions.PolarsError:
        return ()
    return tuple(_observed(frame, name) for name in frame.columns)


def _text(path: Path, limits: InflateLimits) -> Path | bytes:
    """Return a file that is text as its path, and what a gzip file holds as bytes.

    Polars would unpack whatever begins like a packed file, without a limit.
    """
    with opened(path, str(path), limits.at_most(_MOST_BYTES)) as stream:
        if stream.peek(1).startswith(_PACKED):
            raise CorruptFileError(f"{path} is packed, not plain text or gzip. Unpack it first.")
        return path if isinstance(stream.raw, io.FileIO) else stream.read()


def _renamed(text: pl.DataFrame) -> pl.DataFrame:
    names: dict[str, str] = {}
    for column in text.columns:
        plain = column.strip().lower()
        wanted = _ALIASES.get(plain, plain.replace(" ", "_"))
        names[column] = wanted if wanted not in names.values() else column
    return text.rename(names)


def _observed(frame: pl.DataFrame, name: str) -> Field:
    """Return a column as its values show it."""
    values = frame[name].drop_nulls()
    values = values.filter(values != "")
    optional = len(values) < len(frame)
    return Field(name, _type_of(name, values), optional=optional or not len(values))


def _type_of(name: str, values: pl.Series) -> str:
    if not len(values):
        registered = (f.type for s in REGISTERED.values() for f in s.fields if f.name == name)
        return next(registered, "string")
    if name == "time":
        is_time = r"^\d{4}-\d{2}-\d{2}", r"^\d{10,19}$"
        return "timestamp" if any(values.str.contains(p).all() for p in is_time) else "string"
    if values.str.to_lowercase().is_in(["true", "false"]).all():
        return "boolean"
    is_date = values.str.contains(r"^\d{4}-\d{2}-\d{2}$").all()
    if name == "symbol" or (not is_date and values.cast(pl.Float64, strict=False).null_count()):
        return "string"
    if is_date:
        return "date"
    return "integer" if values.str.contains(r"^[+-]?\d+$").all() else "number"


def _bars(
    frame: pl.DataFrame, path: Path, named: Named, side: Side
) -> tuple[pl.DataFrame, pa.Table]:
    """Return a file's bars in order, and its rows that cannot be read."""
    numbers = [n for n in _NUMBERS if n in frame.columns]
    is_blank = pl.all_horizontal(pl.col("time", *numbers).is_null())
    if "symbol" not in frame.columns or side.symbol:
        frame = frame.with_columns(symbol=pl.lit(side.symbol or _symbol(path, named)))
    used = frame.select("symbol", "time", *numbers).with_row_index(cells.ROW, 1).filter(~is_blank)
    ns, dates = _times(used["time"], side.zone, named.path)
    keys = ("symbol", "trade_date", "bar_start_ns")
    rows = used.with_columns(bar_start_ns=ns, trade_date=dates)
    good, refused = cells.divided(rows, numbers, keys)
    made = good.filter(pl.any_horizontal(pl.col("open", "high", "low", "close").is_not_null()))
    return made.select(*keys, *numbers).sort("symbol", "bar_start_ns"), refused


def _times(labels: pl.Series, zone: str, path: str) -> tuple[pl.Series, pl.Series]:
    """Return labels as nanoseconds UTC, and their dates on the clock that wrote them."""
    first = str(labels.drop_nulls().first() or "")
    try:
        if _WHOLE.fullmatch(first):
            unit = _EPOCHS[len(first)]
            ns = labels.cast(pl.Int64) * unit
            local = pl.from_epoch(ns, "ns").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
            return ns, local.dt.date()
        dates = labels.str.slice(0, 10).str.to_date("%Y-%m-%d")
        if len(first) == len("2025-06-02"):
            labels = labels + " 00:00:00"
        clock = labels.str.replace("T", " ", literal=True).str.replace("Z$", "+00:00")
        if clock.str.contains(r":\d{2}(\.\d+)?[+-]\d{2}:?\d{2}$").all():
            moments = clock.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_unit="ns")
            moments = moments.dt.convert_time_zone("UTC")
        else:
            naive = clock.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns")
            moments = naive.dt.replace_time_zone(
                zone, ambiguous="earliest", non_existent="null"
            ).dt.convert_time_zone("UTC")
        return moments.dt.epoch("ns"), dates
    except (pl.exceptions.PolarsError, KeyError) as exc:
        raise CorruptFileError(
            f"{path} holds a time {first!r} that cannot be read (zone {zone}): write ISO 8601, or "
            f"a count of seconds or smaller since 1970. {exc}"
        ) from exc


def _interval(bars: pl.DataFrame, path: str) -> str:
    """Return the usual distance of labels, at least a day for labels at midnight."""
    apart = bars.select((pl.col("bar_start_ns").diff().over("symbol")).alias("apart").drop_nulls())[
        "apart"
    ]
    apart = apart.filter(apart > 0)
    if not len(apart):
        return "1d"
    usual = int(str(apart.mode().min()))
    if usual <= INTERVALS["1h"]:
        widths = {v: k for k, v in INTERVALS.items()}
        if usual not in widths:
            raise QueryError(
                f"The bars of {path} are {usual / 60e9:g} minutes apart. Name their width with "
                "?interval=1m."
            )
        return widths[usual]
    return "1w" if usual >= 6 * INTERVALS["1d"] else "1d"


def _arrow(bars: pl.DataFrame, interval: str) -> pa.Table:
    """Return bars as Arrow: decimals and plain strings; daily ones need no instant."""
    whole = [pl.col("transactions").cast(pl.Int64)] if "transactions" in bars.columns else []
    made = bars.with_columns(*whole)
    if INTERVALS[interval] >= INTERVALS["1d"]:
        made = made.drop("bar_start_ns")
    return cells.plain(made)


def _nothing() -> pa.Table:
    names = ("open", "high", "low", "close", "volume")
    schema = {"symbol": pl.String(), "trade_date": pl.Date(), "bar_start_ns": pl.Int64()}
    return cells.plain(pl.DataFrame(schema=schema | dict.fromkeys(names, cells.SIX)))


def _symbol(path: Path, named: Named) -> str:
    """Return the symbol that the file's name begins with."""
    stem = path.name.split(".csv")[0]
    apart = "_" if named.reader == "alphavantage" else "-1"
    symbol = stem.split(apart)[0]
    if named.reader == "csv" or not symbol:
        raise QueryError(
            f"{named.path} has no column symbol: name it with {named.text}?symbol=AAPL."
        )
    return symbol
