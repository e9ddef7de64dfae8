"""Fields of reference data: text to a date, an instant, a decimal or a kind, or a fault."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from ingot.model import number as foreign
from ingot.model.time import new_york

if TYPE_CHECKING:
    from collections.abc import Callable

SPLIT: Final = "split"
STOCK_DIVIDEND: Final = "stock_dividend"
CASH_DIVIDEND: Final = "cash_dividend"
KINDS: Final = frozenset({SPLIT, STOCK_DIVIDEND, CASH_DIVIDEND, "spin_off", "rights", "merger"})
BY_RATIO: Final = frozenset({SPLIT, STOCK_DIVIDEND})
"""Kinds that need a ratio."""

_T = TypeVar("_T")
Fold = Literal["refuse", "first", "second"]
_DATE_CHARACTERS: Final = len("2025-06-02")
RATIO_DIGITS: Final = 6
PRICE_DIGITS: Final = 6
CASH_DIGITS: Final = 9
_INTEGER_DIGITS: Final = {RATIO_DIGITS: 12, CASH_DIGITS: 9}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_FIRST_YEAR: Final = 1800
_LAST_YEAR: Final = 2200
_SMALL: Final = (1, 10, 100)
"""Bounds of the old shares of a ratio that is taken for one of whole shares: with 1,000, three of
ten numbers of seven digits would lie that near to one."""
_MOST_NEW_SHARES: Final = 10_000
_SNAP: Final = Fraction(5, 10_000_000)
_LARGEST: Final = 10**12


class FaultError(Exception):
    """A field breaks a rule; whoever reads the row turns it into a refused row."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def symbol(text: str) -> str:
    """Return a symbol unchanged; NA, TRUE and NULL are symbols.

    Raises:
        FaultError: It is empty, or holds blanks or characters that cannot be printed.
    """
    if not text or not text.isprintable() or any(c.isspace() for c in text):
        raise FaultError("symbol")
    return text


def day(text: str, rule: str) -> date:
    """Return the date of an ISO text, from 1800 to 2200.

    Raises:
        FaultError: It is none.
    """
    try:
        found = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise FaultError(rule)
    return found


def instant(text: str, rule: str) -> datetime:
    """Return the instant, UTC, of a text with offset, or 00:00 New York of a date.

    Raises:
        FaultError: It is neither, or a time without an offset.
    """
    if _DATE.fullmatch(text):
        return new_york(day(text, rule))
    try:
        found = datetime.fromisoformat(text)
    except ValueError as exc:
        raise FaultError(rule) from exc
    if found.tzinfo is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise FaultError(rule)
    return found.astimezone(UTC)


def is_time(text: str) -> bool:
    """Return True if a text is an ISO date with a time of day."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return len(text) > _DATE_CHARACTERS


def zoned(text: str, zone: str, rule: str, *, fold: Fold = "refuse") -> datetime:
    """Return the instant, UTC, of an ISO time, which is read in `zone` where it has no offset.

    Raises:
        FaultError: It is not a time; or it has no offset and there is no zone, clocks skip it in
            the zone, or it occurs twice there and `fold` does not say which of them it is.
    """
    if not is_time(text):
        raise FaultError(rule)
    found = datetime.fromisoformat(text)
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise FaultError(rule)
    if found.tzinfo is not None:
        return found.astimezone(UTC)
    if not zone:
        raise FaultError(f"{rule}_has_no_zone")
    local = found.replace(tzinfo=ZoneInfo(zone), fold=int(fold == "second"))
    if local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != found:
        raise FaultError(f"{rule}_does_not_exist")  # skipped when clocks go forward
    if fold == "refuse" and local.utcoffset() != local.replace(fold=1).utcoffset():
        raise FaultError(f"{rule}_occurs_twice")  # repeated when clocks go back
    return local.astimezone(UTC)


def number(text: str, rule: str) -> Decimal:
    """Return the decimal of a text, exactly.

    Raises:
        FaultError: It is not a number, or its size is 1e12 or more.
    """
    found = foreign.number(text)
    if found is None:
        raise FaultError(rule)
    return found


def json_number(value: object, rule: str) -> Decimal:
    """Return the decimal of a JSON number, exactly.

    Raises:
        FaultError: It is not a number, or its size is 1e12 or more.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise FaultError(rule)
    return number(str(value), rule)


def positive(text: str, rule: str, *, digits: int) -> Decimal:
    """Return a decimal above zero with at most `digits` decimals, exactly.

    Raises:
        FaultError: It is none, or does not fit its column.
    """
    return fitted(number(text, rule), rule, digits=digits, exact=True)


def fitted(value: Decimal | Fraction, rule: str, *, digits: int, exact: bool = False) -> Decimal:
    """Return a value above zero at `digits` decimals, rounded half to even unless `exact`.

    Raises:
        FaultError: It is not above zero after rounding, too large, or not exact.
    """
    if isinstance(value, Fraction):
        value = Decimal(value.numerator) / Decimal(value.denominator)
    found = foreign.rounded(value, digits, digits=_INTEGER_DIGITS[digits])
    if found is None or found <= 0 or (exact and found != value):
        raise FaultError(rule)
    return found


def currency(text: str) -> str:
    """Return an ISO 4217 code.

    Raises:
        FaultError: It is none.
    """
    if not _CURRENCY.fullmatch(text):
        raise FaultError("currency")
    return text


def terms(ratio: Fraction) -> tuple[Decimal, Decimal]:
    """Return (old shares, new shares) of a ratio of new to old.

    A ratio within 5e-7 of one of small whole numbers is taken for that: files write 1.4 or
    0.142857 where a company split 7:5 or 1:7.

    >>> terms(Fraction(7)), terms(Fraction("0.142857"))
    ((Decimal('1'), Decimal('7')), (Decimal('7'), Decimal('1')))

    Raises:
        FaultError: The ratio is not above zero, or does not fit its column.
    """
    return exact_terms(simplest(ratio, _SNAP) or ratio)


def exact_terms(ratio: Fraction) -> tuple[Decimal, Decimal]:
    """Return (old shares, new shares) as whole numbers; else new shares of one, six decimals.

    Raises:
        FaultError: The ratio is not above zero, or does not fit its column.
    """
    if ratio <= 0:
        raise FaultError("ratio")
    if max(ratio.numerator, ratio.denominator) < _LARGEST:
        return Decimal(ratio.denominator), Decimal(ratio.numerator)
    return Decimal(1), fitted(ratio, "ratio", digits=RATIO_DIGITS)


def simplest(ratio: Fraction, within: Fraction) -> Fraction | None:
    """Return the ratio of small whole numbers nearest the given one, if it is near enough.

    The smallest of a few bounds on the denominator wins, so that 7 is preferred to 699/100.
    """
    for bound in _SMALL:
        near = ratio.limit_denominator(bound)
        if 0 < near.numerator <= _MOST_NEW_SHARES and abs(near - ratio) <= within:
            return near
    return None


def optional(text: str, read: Callable[[str], _T]) -> _T | None:
    """Return what `read` makes of the text, or None where it is empty."""
    return read(text) if text else None
