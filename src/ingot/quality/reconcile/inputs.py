"""The two sides of a reconciliation as data: what each holds, and how it labels and counts."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.model.number import number

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE_NS: Final = 60_000_000_000
DAY_NS: Final = 86_400_000_000_000
INTERVALS: Final[Mapping[str, int]] = {
    "1m": MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "30m": 30 * MINUTE_NS,
    "1h": 60 * MINUTE_NS,
    "1d": DAY_NS,
    "1w": 7 * DAY_NS,
}
"""Widths of bars, in nanoseconds."""
READERS: Final = ("csv", "lean", "alphavantage", "yahoo")
BASES: Final = ("raw", "split", "total_return")
SHARES_PER_LOT: Final = 100
_STEP: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Side:
    """What one side is; both are converted to one such description before they are compared."""

    interval: str = "1d"
    """Width of a bar: 1m, 5m, 15m, 30m, 1h, 1d or 1w."""
    label: str = "start"
    """start or end: which end of the bar its label names."""
    zone: str = "UTC"
    """Zone of labels without one."""
    basis: str = "raw"
    """raw, split or total_return: what its prices are adjusted for."""
    unit: str = "shares"
    """shares, or lots of 100."""
    sessions: str = "all"
    """all or regular: the sessions that day bars made of its minutes take prices from, if all."""
    tick: Decimal = Decimal(0)
    """Smallest step of its prices; 0 for the exchange's: 0.01, and 0.0001 below 1."""
    scale: Decimal = Decimal(1)
    """What its prices are multiplied by to be in the other side's currency unit."""
    symbol: str = ""
    """The symbol of a file that names none."""

    @property
    def width_ns(self) -> int:
        """Width of a bar in nanoseconds."""
        return INTERVALS[self.interval]

    @property
    def is_intraday(self) -> bool:
        """Whether several bars make a day."""
        return self.width_ns < DAY_NS

    def with_options(self, options: Mapping[str, str]) -> Side:
        """Return the description with the options of a side's text.

        Raises:
            QueryError: An option is unknown or its value is not one of the allowed.
        """
        known = {f.name: f.type for f in fields(self)}
        values: dict[str, object] = {}
        for key, text in options.items():
            if key not in known:
                raise QueryError(_unknown("option", key, tuple(known)))
            values[key] = _number(key, text) if known[key] == "Decimal" else text
        changed = replace(self, **values)  # type: ignore[arg-type]  # each of its field's type
        for key, words in _WORDS.items():
            if getattr(changed, key) not in words:
                raise QueryError(_unknown(key, str(getattr(changed, key)), tuple(words)))
        return changed


_WORDS: Final = {
    "interval": tuple(INTERVALS),
    "label": ("start", "end"),
    "basis": BASES,
    "unit": ("shares", "lots"),
    "sessions": ("all", "regular"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """A side as it was written: `silver.day_bars@massive`, `csv:bars.csv?label=end`."""

    text: str
    table: str = ""
    """A table's name, or empty for a file."""
    reader: str = ""
    """csv, lean, alphavantage or yahoo, or empty for a table."""
    path: str = ""
    source: str = ""
    dataset: str = ""
    known_at: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def parse(text: str) -> Named:
    """Return what a side's text names.

    A table may be narrowed by `@source`, `@source/dataset` and `@known_at=MOMENT`; both kinds may
    be followed by `?option=value&option=value`, the fields of `Side`.

    >>> parse("silver.day_bars@massive@known_at=2025-06-10").known_at
    '2025-06-10'
    >>> parse("yahoo:A.csv?basis=split").options
    {'basis': 'split'}

    Raises:
        QueryError: It names no table and no reader.
    """
    name, question, rest = text.partition("?")
    options = _pairs(text, rest) if question else {}
    reader, colon, path = name.partition(":")
    if colon and "@" not in reader:
        if reader not in READERS:
            raise QueryError(_unknown("reader", reader, READERS))
        if not path:
            raise QueryError(f"{text!r} names no file: write {reader}:FILE.")
        return Named(text, reader=reader, path=path, options=options)
    table, *parts = name.split("@")
    if "." not in table:
        raise QueryError(
            f"A side was {text!r}: write a table such as silver.day_bars, or a file with its "
            f"reader: {', '.join(f'{r}:FILE' for r in READERS)}."
        )
    source, dataset, known_at = "", "", ""
    for part in parts:
        key, equals, value = part.partition("=")
        if equals and key == "known_at":
            known_at = value
        elif equals:
            raise QueryError(_unknown("part after @", key, ("known_at",)))
        else:
            source, _, dataset = part.partition("/")
    return Named(text, table, "", "", source, dataset, known_at, options)


def _pairs(text: str, rest: str) -> dict[str, str]:
    pairs = {}
    for part in rest.split("&"):
        key, equals, value = part.partition("=")
        if not equals:
            raise QueryError(
                f"{text!r} holds {part!r}: write option=value after the question mark."
            )
        pairs[key] = value
    return pairs


TABLE_SIDES: Final[Mapping[str, Side]] = {
    "bronze.minute_bars": Side(interval="1m"),
    "bronze.day_bars": Side(),
    "silver.minute_bars": Side(interval="1m"),
    "silver.day_bars": Side(),
    "gold.daily_bars": Side(),
}
READER_SIDES: Final[Mapping[str, Side]] = {
    "csv": Side(),
    "lean": Side(zone="America/New_York"),
    "alphavantage": Side(label="end", zone="America/New_York"),
    "yahoo": Side(basis="split", zone="America/New_York"),
}
"""What each kind of file is by default."""


def described(named: Named) -> Side:
    """Return what a side is by default and by its options.

    Raises:
        QueryError: The table has no bars, or an option is wrong.
    """
    if named.reader:
        return READER_SIDES[named.reader].with_options(named.options)
    if named.table not in TABLE_SIDES:
        raise QueryError(_unknown("table of bars", named.table, tuple(TABLE_SIDES)))
    return TABLE_SIDES[named.table].with_options(named.options)


def _number(key: str, text: str) -> Decimal:
    found = number(text)
    if found is None or not _STEP <= found <= 1 / _STEP:
        raise QueryError(f"{key} was {text!r}: write a number from {_STEP} to {1 / _STEP:.0f}.")
    return found


def _unknown(what: str, text: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(text, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    return f"The {what} was {text!r}. {hint}"
