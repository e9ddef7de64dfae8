"""Columns as text: the one place that says how a value looks in csv, json and printed tables.

Decimals are written with all their digits, no exponent and no trailing zeros (`201.7`, `15`);
dates as 2025-06-02; instants as 2025-06-02T13:30:00Z (in another zone with its offset), with a
fraction only where there is one; bytes as hexadecimal; intervals as ISO 8601 durations.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from ingot.query.result.values import decimal_text, is_number

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_US: Final = -62_135_596_800_000_000
_LAST_US: Final = 253_402_300_800_000_000
"""Bounds of what a calendar of four-digit years holds; outside are DuckDB's infinities."""
_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_UTC: Final = frozenset({"UTC", "Etc/UTC"})
_NS_PER: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def texts(column: pa.ChunkedArray[Any]) -> pl.Series:
    """Return a column's values as text, null where they are null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return texts(column.cast(kind.value_type))
    if not _is_simple(kind):
        return pl.Series(
            [None if v is None else _plain(v) for v in column.to_pylist()], dtype=pl.String
        )
    return _written(pl.Series("value", column), kind)


def _written(series: pl.Series, kind: pa.DataType) -> pl.Series:
    if pa.types.is_decimal(kind):
        return _decimals(series)
    if pa.types.is_timestamp(kind):
        # Polars counts seconds in milliseconds.
        unit = "ms" if kind.unit == "s" else kind.unit
        return _instants(series, unit, kind.tz)
    if pa.types.is_date(kind):
        return _dates(series)
    return series.cast(pl.String)


def json_texts(column: pa.ChunkedArray[Any]) -> pl.Series:
    """Return a column's values as JSON, `null` where they are null or no number."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return json_texts(column.cast(kind.value_type))
    if not _is_simple(kind):
        return pl.Series([to_json(value) for value in column.to_pylist()], dtype=pl.String)
    if pa.types.is_floating(kind):
        series = pl.Series("value", column)
        finite = pl.select(pl.when(series.is_finite()).then(series)).to_series()
        return finite.cast(pl.String).fill_null("null")
    written = texts(column)
    if is_number(kind) or pa.types.is_boolean(kind):
        return written.fill_null("null")
    return _quoted(written)


def to_json(value: object) -> str:
    """Return one value as JSON; a decimal keeps its digits.

    >>> to_json({"x": Decimal("1.50"), "y": [None, True]})
    '{"x":1.5,"y":[null,true]}'
    """
    if value is None or isinstance(value, bool | int | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "null"
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, dict):
        pairs = (f"{to_json(str(k))}:{to_json(v)}" for k, v in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list) or (isinstance(value, tuple) and not hasattr(value, "months")):
        return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(_plain(value), ensure_ascii=False)


def _is_simple(kind: pa.DataType) -> bool:
    """Say whether Polars writes the type by the column."""
    return bool(
        is_number(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_date(kind)
        or pa.types.is_timestamp(kind)
    )


def _plain(value: object) -> str:
    """Return a value of a rare type as text."""
    for kind, write in _RARE.items():
        if isinstance(value, kind):
            return write(value)
    if hasattr(value, "months"):
        seconds = Decimal(value.nanoseconds).scaleb(-9)  # type: ignore[attr-defined]  # pyarrow's
        return f"P{value.months}M{value.days}DT{decimal_text(seconds)}S"  # type: ignore[attr-defined]
    return to_json(value)


def _duration(value: timedelta) -> str:
    seconds = Decimal(value // timedelta(microseconds=1)).scaleb(-6)
    return f"P0M0DT{decimal_text(seconds)}S"


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


_RARE: Final[dict[type, Callable[..., str]]] = {
    str: str,
    bytes: bytes.hex,
    datetime: _instant,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: _duration,
}


def _decimals(series: pl.Series) -> pl.Series:
    written = series.cast(pl.String)
    trimmed = written.str.strip_chars_end("0").str.strip_chars_end(".")
    whole = ~written.str.contains(".", literal=True)
    return pl.select(pl.when(whole).then(written).otherwise(trimmed)).to_series()


def _dates(series: pl.Series) -> pl.Series:
    days = series.cast(pl.Int32)
    inside = days.is_between(_FIRST_US // 86_400_000_000, _LAST_US // 86_400_000_000 - 1)
    safe = pl.select(pl.when(inside).then(series)).to_series()
    return _with_infinity(safe.dt.to_string("%Y-%m-%d"), days, inside)


def _instants(series: pl.Series, unit: str, zone: str | None) -> pl.Series:
    counts = series.cast(pl.Int64)
    first, last = (bound * _NS_PER["us"] // _NS_PER[unit] for bound in (_FIRST_US, _LAST_US))
    inside = counts.is_between(max(first, _INT64_MIN + 1), min(last, _INT64_MAX) - 1)
    safe = pl.select(pl.when(inside).then(series)).to_series()
    if zone:
        safe = safe.dt.convert_time_zone(zone)
    fraction = safe.dt.nanosecond().cast(pl.String).str.zfill(9).str.strip_chars_end("0")
    dot = pl.select(pl.when(fraction != "").then("." + fraction).otherwise(pl.lit("")))
    written = safe.dt.to_string("%Y-%m-%dT%H:%M:%S") + dot.to_series()
    if zone:
        written += "Z" if zone in _UTC else safe.dt.to_string("%:z")
    return _with_infinity(written, counts, inside)


def _with_infinity(written: pl.Series, counts: pl.Series, inside: pl.Series) -> pl.Series:
    end = pl.when(counts > 0).then(pl.lit("infinity")).otherwise(pl.lit("-infinity"))
    return pl.select(pl.when(inside).then(written).when(counts.is_not_null()).then(end)).to_series()


def _quoted(series: pl.Series) -> pl.Series:
    if series.str.contains(r'["\\\x00-\x1f]').any():
        values = [json.dumps(value, ensure_ascii=False) for value in series]
        return pl.Series(values, dtype=pl.String)
    return ('"' + series + '"').fill_null("null")
