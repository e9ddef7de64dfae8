"""One line of an aggregates file: what a good one is, and the rule that a bad one breaks.

A line that the fast path takes is good here, with the same values. Good here and foreign to the
fast path (quotes, zeros without end) is written anew in plain form.

| rule | the line |
|---|---|
| blank_line | holds nothing but spaces |
| not_utf8 | is not text |
| bad_quote | opens a quote and does not close it, or goes on behind one |
| column_count | has not as many fields as the header |
| missing_value | has an empty field |
| bad_symbol | has a ticker with control characters, quotes, or spaces around it |
| not_a_number | has words where a number belongs |
| not_finite | has inf or nan where a number belongs |
| not_whole | has a fraction or an exponent where a whole number belongs |
| too_many_decimals | has a price or volume that six decimals cannot hold |
| out_of_range_number | has a number that the column cannot hold |
| timestamp_out_of_range | has a window_start outside the file's span |
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from ingot.model.unit import BLANK_LINE

if TYPE_CHECKING:
    from ingot.model.time import Interval

TICKER: Final = "ticker"
WINDOW_START: Final = "window_start"
WHOLE: Final = frozenset({WINDOW_START, "transactions"})
SYMBOL: Final = re.compile(r"""(?!\s)[^",\x00-\x1f\x7f\ufeff]+(?<!\s)""")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE: Final = re.compile(r"-?[0-9]+")
_HEX: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_NOT_FINITE: Final = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
_BLANKS: Final = " \t"
_STEP: Final = Decimal("0.000001")
_WHOLE_DIGITS: Final = 12
_DECIMALS: Final = 6
_INT64: Final = 1 << 63
_INT64_DIGITS: Final = 19


class RuleBrokenError(Exception):
    """A field breaks the rule that the error names."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line is refused, and its key as far as it could be read."""

    rule: str
    symbol: str | None = None
    bar_start_ns: int | None = None


def examine(line: bytes, columns: tuple[str, ...], span: Interval) -> bytes | Fault:
    """Return the line in plain form, its fields in the order of `columns`; or its fault.

    Args:
        line: Without its line feed.
        columns: The file's header.
        span: Where window_start may lie, nanoseconds.
    """
    try:
        fields = _fields(line.removesuffix(b"\r"))
    except RuleBrokenError as broken:
        return Fault(broken.rule)
    try:
        return _joined(columns, fields, span)
    except RuleBrokenError as broken:
        named = dict(zip(columns, fields, strict=False))
        return Fault(broken.rule, _symbol(named), _bar_start_ns(named, span))


def _joined(columns: tuple[str, ...], fields: list[str], span: Interval) -> bytes:
    if len(fields) != len(columns):
        raise RuleBrokenError("column_count")
    pairs = zip(columns, fields, strict=True)
    return ",".join(_plain(name, field, span) for name, field in pairs).encode()


def _fields(line: bytes) -> list[str]:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise RuleBrokenError("not_utf8") from None
    if not text.strip():
        raise RuleBrokenError(BLANK_LINE)
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error:
        raise RuleBrokenError("bad_quote") from None


def _plain(name: str, field: str, span: Interval) -> str:
    if not field.strip(_BLANKS):
        raise RuleBrokenError("missing_value")
    if name == TICKER:
        if SYMBOL.fullmatch(field) is None:
            raise RuleBrokenError("bad_symbol")
        return field
    if name not in WHOLE:
        return f"{decimal_of(field):f}"
    value = whole_of(field)
    if name == WINDOW_START and value not in span:
        raise RuleBrokenError("timestamp_out_of_range")
    return str(value)


def decimal_of(field: str) -> Decimal:
    """Return the value of a price or volume, exactly, with six decimals.

    Raises:
        RuleBrokenError: It is none, or DECIMAL(18,6) cannot hold it.
    """
    text = field.strip(_BLANKS)
    if _DECIMAL.fullmatch(text) is None:
        raise RuleBrokenError(_no_number(text))
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise RuleBrokenError("out_of_range_number") from None
    if not value:
        return Decimal(0)
    if value.adjusted() >= _WHOLE_DIGITS:
        raise RuleBrokenError("out_of_range_number")
    if value.adjusted() < -_DECIMALS or (plain := _cut(value)) != value:
        raise RuleBrokenError("too_many_decimals")
    return plain


def _cut(value: Decimal) -> Decimal:
    return Decimal(int(value.scaleb(_DECIMALS))) * _STEP


def whole_of(field: str) -> int:
    """Return the value of a whole number; hexadecimal as C has it, which the fast path takes too.

    Raises:
        RuleBrokenError: It is none, or 64 bits cannot hold it.
    """
    text = field.strip(_BLANKS)
    if _HEX.fullmatch(text):
        value = int(text, 16)
        return value - 2 * _INT64 if value >= _INT64 else value
    if _WHOLE.fullmatch(text) is None:
        raise RuleBrokenError("not_whole" if _DECIMAL.fullmatch(text) else _no_number(text))
    digits = text.removeprefix("-").lstrip("0")[: _INT64_DIGITS + 1] or "0"
    value = -int(digits) if text.startswith("-") else int(digits)
    if not -_INT64 <= value < _INT64:
        raise RuleBrokenError("out_of_range_number")
    return value


def _no_number(text: str) -> str:
    return "not_finite" if _NOT_FINITE.fullmatch(text) else "not_a_number"


def _symbol(named: dict[str, str]) -> str | None:
    field = named.get(TICKER, "")
    return field if SYMBOL.fullmatch(field) else None


def _bar_start_ns(named: dict[str, str], span: Interval) -> int | None:
    try:
        value = whole_of(named.get(WINDOW_START, ""))
    except RuleBrokenError:
        return None
    return value if value in span else None
