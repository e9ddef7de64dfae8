"""Names: tickers that no two instruments share by accident, and identifiers in their real form."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Final

from ingot.simulator.market.hashing import key
from ingot.simulator.market.roster import CAST, MOST_SYMBOLS, RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterator

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CONSONANTS_AND_DIGITS: Final = "0123456789BCDFGHJKLMNPQRSTVWXYZ"
_SHORT_EVERY: Final = 3
_PREFERRED: Final = (17, "p")
_SHARE_CLASS: Final = (23, ".")
_WARRANT: Final = (29, ".WS")
_SUFFIX_LETTERS: Final = "ABCDE"


def ticker(seed: int, slot: int, generation: int = 0) -> str:
    """Return the ticker of a slot's n-th instrument, case-sensitive, 2 to 7 characters.

    Some are preferred shares with a lower-case letter (`QRSTpA`), share classes (`QRST.A`) or
    warrants (`QRST.WS`) of the company in the slot before.
    """
    if slot < len(CAST) and CAST[slot].ticker:
        return CAST[slot].ticker
    if generation == 0 and slot > len(CAST):
        suffix = _SUFFIX_LETTERS[key(seed, "class", slot) % len(_SUFFIX_LETTERS)]
        for every, mark in (_PREFERRED, _SHARE_CLASS):
            if slot % every == 1:
                return _root(seed, slot - 1, 0) + mark + suffix
        if slot % _WARRANT[0] == 1:
            return _root(seed, slot - 1, 0) + _WARRANT[1]
    return _root(seed, slot, generation)


def _root(seed: int, slot: int, generation: int) -> str:
    length = 3 if generation == 0 and slot % _SHORT_EVERY == 0 else 4
    text = _permuted(seed, slot + generation * MOST_SYMBOLS, length)
    return text + "QQ" if text in RESERVED else text


def _permuted(seed: int, number: int, length: int) -> str:
    size = len(_LETTERS) ** length
    step = key(seed, "ticker step", length) % size
    while gcd(step, size) > 1:
        step += 1
    number = (number * step + key(seed, "ticker start", length)) % size
    return "".join(_digits(number, length))


def _digits(number: int, length: int) -> Iterator[str]:
    for _ in range(length):
        number, rest = divmod(number, len(_LETTERS))
        yield _LETTERS[rest]


def figi(*parts: object) -> str:
    """Return an identifier in the form of a FIGI: BBG00, six characters and a check digit.

    >>> len(figi(1, 2)), figi(1, 2)[:5]
    (12, 'BBG00')
    """
    number, text = key("figi", *parts), "BBG00"
    for _ in range(6):
        number, rest = divmod(number, len(_CONSONANTS_AND_DIGITS))
        text += _CONSONANTS_AND_DIGITS[rest]
    return text + check_digit(text)


def check_digit(text: str) -> str:
    """Return the twelfth character of a FIGI: letters count from 10, every second one doubled.

    >>> check_digit("BBG000B9XRY")
    '4'
    """
    total = 0
    for position, character in enumerate(text):
        value = int(character, 36) * (1 + position % 2)
        total += sum(int(digit) for digit in str(value))
    return str(-total % 10)


def cik(*parts: object) -> str:
    """Return an identifier in the form of an SEC central index key: ten digits."""
    return f"{key('cik', *parts) % 2_000_000:010d}"
