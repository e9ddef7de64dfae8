"""Map files: which symbol a company had, until when, and where it was listed.

A line `YYYYMMDD,symbol,exchange` gives the last date of the symbol; the first line's date is the
first day of the data, which is not a listing date. 2050-12-31 means: still.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError
from ingot.connectors.reference.rows import Bad, Good, InstrumentRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.connectors.lean.bundle import Line

OPEN_YEAR: Final = 2050
_WITH_EXCHANGE: Final = 3
_DATE_DIGITS: Final = 8
_EXCHANGES: Final = {
    "A": "XASE",
    "B": "XBOS",
    "C": "XCIS",
    "J": "EDGA",
    "K": "EDGX",
    "M": "XCHI",
    "N": "XNYS",
    "P": "ARCX",
    "Q": "XNAS",
    "V": "IEXG",
    "X": "XPHL",
    "Y": "BATY",
    "Z": "BATS",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A symbol's trade dates, `[start, end)`; end is None while it holds."""

    symbol: str
    start: date
    end: date | None
    exchange: str | None
    line: Line


def day_of(text: str) -> date:
    """Return the date of `YYYYMMDD`.

    Raises:
        FaultError: It is none.
    """
    whole = len(text) == _DATE_DIGITS and text.isascii() and text.isdigit()
    return fields.day(f"{text[:4]}-{text[4:6]}-{text[6:]}" if whole else text, "date")


def spans(lines: Sequence[Line]) -> tuple[list[Span], list[Bad]]:
    """Return the symbols of a map file in time order, and the lines that could not be read.

    Neighbouring lines of one symbol are one span, with the later line's exchange.
    """
    found: list[Span] = []
    bad: list[Bad] = []
    begun: date | None = None
    for line in lines:
        try:
            last, symbol, exchange = _fields(line)
            if begun is not None and last < begun:
                raise FaultError("order")  # noqa: TRY301 (refused as every broken rule is)
        except FaultError as fault:
            bad.append(Bad(line.number, fault.rule, line.raw))
            continue
        start = last if begun is None else begun
        begun = last + timedelta(days=1)
        end = None if last.year >= OPEN_YEAR else begun
        if found and found[-1].symbol == symbol:
            start = found.pop().start
        found.append(Span(symbol, start, end, exchange, line))
    return found, bad


def _fields(line: Line) -> tuple[date, str, str | None]:
    if not _WITH_EXCHANGE - 1 <= len(line.parts) <= _WITH_EXCHANGE:
        raise FaultError("columns")
    letter = line.parts[2] if len(line.parts) == _WITH_EXCHANGE else ""
    symbol = fields.symbol(line.parts[1].upper())
    return day_of(line.parts[0]), symbol, _EXCHANGES.get(letter.upper())


def read_instruments(lines: Sequence[Line]) -> Iterator[Good | Bad]:
    """Yield one row for each symbol of a map file, oldest first."""
    found, bad = spans(lines)
    for span in found:
        gone = found[-1].end
        yield Good(
            None,
            InstrumentRow(
                instrument_id=f"lean:{found[0].symbol}@{found[0].start.isoformat()}",
                symbol=span.symbol,
                valid_from=span.start,
                valid_to=span.end,
                exchange=span.exchange,
                delisted_date=gone,
                raw=span.line.raw,
            ),
        )
    yield from bad


def symbol_on(found: Sequence[Span], day: date) -> str | None:
    """Return the symbol of a date: the one held then, else the nearest one's."""
    if not found:
        return None
    held = [span for span in found if span.start <= day]
    return (held[-1] if held else found[0]).symbol
