"""A number that others wrote becomes ours here: an exact decimal of bounded size, or none.

Every reader of foreign text or JSON comes through: infinities, NaN and sizes that no column holds
are none, so that what follows can divide, take logarithms and cast without looking again.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

GRAMMAR: Final = r"^[+-]?([0-9]{1,60}\.?[0-9]{0,60}|\.[0-9]{1,60})([eE][+-]?[0-9]{1,3})?$"
"""What a number looks like, for engines of regular expressions of any kind."""
_NUMBER: Final = re.compile(GRAMMAR)
_MOST_DIGITS: Final = 60
_DIGITS: Final = 12
"""A number is 0, or its size is from 1e-12 to below 1e12: DECIMAL(18,6) holds its whole part."""
_EXACT: Final = Context(prec=2 * _MOST_DIGITS)


def number(text: str) -> Decimal | None:
    """Return the decimal of a text, exactly; None where it is none, or 1e12 and beyond.

    A size below 1e-12 is 0.

    >>> number("-1.50e2"), number("inf"), number("1e308"), number("1e-308")
    (Decimal('-150'), None, None, Decimal('0'))
    """
    found = exact(text)
    if found is None:
        return None
    if not found or found.adjusted() < -_DIGITS:
        return Decimal(0)
    return found if found.adjusted() < _DIGITS else None


def exact(text: str) -> Decimal | None:
    """Return the decimal of a text, whatever its size; None where it is not a number.

    >>> exact("1e-13"), exact("nan")
    (Decimal('1E-13'), None)
    """
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def rounded(value: Decimal, decimals: int, *, digits: int = _DIGITS) -> Decimal | None:
    """Return a value at so many decimals, half to even; None beyond `digits` before the point.

    >>> rounded(Decimal("0.0000005"), 6), rounded(Decimal("999999999999.9999999"), 6)
    (Decimal('0.000000'), None)
    """
    if not value.is_finite() or value.adjusted() > _MOST_DIGITS:
        return None
    found = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN, _EXACT)
    return found if abs(found) < 10**digits else None
