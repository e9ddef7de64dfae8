"""Columns of short answers as text, written by the value: loading Polars takes longer.

What `ingot.query.result.cell_text` gives for the same column is equal to the byte.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

_SHORT: Final = 2_000
"""Rows up to which writing value by value takes less time than loading a library."""
_LEAST, _GREATEST = 1e-4, 1e15
"""Numbers between are written without an exponent everywhere."""
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_INFINITE: Final = frozenset({-(2**63), 2**63 - 1})
_WRITTEN_ZONES: Final = frozenset({None, "UTC"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY: Final = _EPOCH.date().toordinal()


def column_texts(column: pa.ChunkedArray[Any]) -> Iterable[str | None]:
    """Return a column's values as text, null where they are null."""
    write = _writer(column.type) if len(column) <= _SHORT else None
    if write is not None:
        try:
            return [None if v is None else write(v) for v in _values(column)]
        except (OverflowError, ValueError):
            pass  # infinities, and numbers that the two libraries write in different ways
    from ingot.query.result.cell_text import texts

    return texts(column)


def distinct(column: pa.ChunkedArray[Any]) -> set[Any]:
    """Return the different values of a column; a short one takes no compute functions."""
    values = column if len(column) <= _SHORT else column.unique()
    return set(values.to_pylist())


def is_number(kind: pa.DataType) -> bool:
    """Return True if values of this type are written as JSON numbers."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def decimal_text(value: Decimal) -> str:
    """Return all digits of a decimal, without an exponent and trailing zeros.

    >>> from decimal import Decimal
    >>> decimal_text(Decimal("201.700000")), decimal_text(Decimal("1E+2"))
    ('201.7', '100')
    """
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _values(column: pa.ChunkedArray[Any]) -> list[Any]:
    """Return the values of a column; dates and instants as counts since the epoch."""
    if pa.types.is_date32(column.type):
        return [v for chunk in column.chunks for v in chunk.view(pa.int32()).to_pylist()]
    if pa.types.is_timestamp(column.type):
        return [v for chunk in column.chunks for v in chunk.view(pa.int64()).to_pylist()]
    return list(column.to_pylist())


def _writer(kind: pa.DataType) -> Callable[[Any], str] | None:
    """Return what writes one value of a type; None for a rare type."""
    if pa.types.is_timestamp(kind):
        if kind.tz not in _WRITTEN_ZONES:
            return None
        per_second, zone = _PER_SECOND[kind.unit], "Z" if kind.tz else ""
        return lambda value: _instant(value, per_second, zone)
    return _WRITERS.get("decimal128" if pa.types.is_decimal128(kind) else str(kind))


def _float(value: float) -> str:
    """Return a number of common size.

    Raises:
        ValueError: It is one that not all libraries write in the same way.
    """
    if value and not _LEAST <= abs(value) < _GREATEST:
        raise ValueError(value)
    return repr(value)


def _instant(count: int, per_second: int, zone: str) -> str:
    """Return an instant of a year of four digits.

    Raises:
        OverflowError: It is outside, or infinite.
    """
    if count in _INFINITE:
        raise OverflowError(count)
    seconds, fraction = divmod(count, per_second)
    written = (_EPOCH + timedelta(seconds=seconds)).isoformat().removesuffix("+00:00")
    if not fraction:
        return f"{written}{zone}"
    digits = str(fraction + per_second)[1:].rstrip("0")
    return f"{written}.{digits}{zone}"


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    **dict.fromkeys(("string", "large_string"), str),
    **dict.fromkeys((f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), str),
    "bool": lambda value: str(value).lower(),
    "double": _float,
    "decimal128": decimal_text,
    "date32[day]": lambda days: date.fromordinal(_FIRST_DAY + days).isoformat(),
}
"""By the name of the Arrow type."""
