"""Values of an own table: a text to a value of its column's type, or a fault."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError
from ingot.model import number
from ingot.model.time import from_ns
from ingot.tables.contract import (
    Boolean,
    ColumnType,
    Date,
    Decimal,
    Float64,
    Int64,
    String,
    TimestampUs,
)

if TYPE_CHECKING:
    from decimal import Decimal as Number

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_LARGEST: Final = 2**63
_BOOLEANS: Final = {"true": True, "false": False}


def value_of(text: str, kind: ColumnType, zone: str, rule: str) -> Any:  # noqa: ANN401 (of any type)
    """Return the value of a text, exactly; None for an empty one, or for NaN in a double.

    Raises:
        FaultError: It is not of the type, or does not fit.
    """
    if not text:
        return None
    if kind is String:
        return text
    if kind is Date:
        return fields.day(text, rule)
    if kind is TimestampUs:
        return fields.zoned(text, zone, rule)
    found = _READERS[kind](text) if kind in _READERS else _decimal(text, kind)
    if found is None:
        raise FaultError(rule)
    return None if found != found else found  # noqa: PLR0124 (NaN is what no number equals)


def date_of(value: date | datetime | int) -> date:
    """Return the date, UTC, of the value of a column of times."""
    if isinstance(value, int):
        value = from_ns(value)
    return value.astimezone(UTC).date() if isinstance(value, datetime) else value


def _integer(text: str) -> int | None:
    found = int(text) if _INTEGER.fullmatch(text) else None
    return found if found is not None and -_LARGEST <= found < _LARGEST else None


def _double(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return None if math.isinf(found) else found


def _boolean(text: str) -> bool | None:
    return _BOOLEANS.get(text.lower())


def _decimal(text: str, kind: ColumnType) -> Number | None:
    assert isinstance(kind, Decimal)  # noqa: S101  # the only types that are not in the table
    found = number.exact(text)
    if found is None:
        return None
    fitted = number.rounded(found, kind.scale, digits=kind.precision - kind.scale)
    return fitted if fitted == found else None


_READERS: Final = {Int64: _integer, Float64: _double, Boolean: _boolean}
