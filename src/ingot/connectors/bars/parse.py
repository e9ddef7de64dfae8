"""A line of a file of bars as a row of bronze, or the rule that refuses it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError
from ingot.connectors.reference.rows import Bad, BarRow, Good
from ingot.errors import SchemaDriftError
from ingot.model.number import rounded
from ingot.model.time import NEW_YORK, new_york, to_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal

    from ingot.connectors.bars.settings import BarsSettings
    from ingot.connectors.csv_lines import Line

_NUMBERS: Final = ("open", "high", "low", "close", "volume")
_MINUTE: Final = timedelta(minutes=1)
_DATE_CHARACTERS: Final = len("2025-06-02")
_INTEGER_DIGITS: Final = 12
_DIGITS: Final = 6


def check_header(header: Sequence[str], settings: BarsSettings, name: str) -> None:
    """Compare a file's columns with those that are read; others are left out.

    Raises:
        SchemaDriftError: A column is missing.
    """
    needed = ["time", *_NUMBERS, *([] if settings.symbol else ["symbol"])]
    missing = [column for f in needed if (column := settings.column_of(f)) not in header]
    if missing:
        raise SchemaDriftError(name, missing=missing)


def read_bars(lines: Iterable[Line], settings: BarsSettings) -> Iterator[Good | Bad]:
    """Yield a row for each line; a key that occurs twice in a file is refused from the second."""
    keys: set[tuple[str, int]] = set()
    for line in lines:
        try:
            row = _bar(line, settings)
        except FaultError as fault:
            yield Bad(line.number, fault.rule, line.raw, _symbol(line, settings) or None)
            continue
        key = (row.ticker, row.window_start)
        if key in keys:
            yield Bad(line.number, "duplicate_key", line.raw, row.ticker)
        else:
            yield Good(line.number, row)
        keys.add(key)


def day_of(line: Line, settings: BarsSettings) -> date | None:
    """Return the date in New York under which a line is filed; None if its time is not one."""
    try:
        return _start(line, settings).astimezone(NEW_YORK).date()
    except FaultError:
        return None


def _bar(line: Line, settings: BarsSettings) -> BarRow:
    if not line.fields:
        raise FaultError("columns")
    symbol = fields.symbol(_symbol(line, settings))
    numbers = {name: _number(line, settings, name) for name in _NUMBERS}
    if numbers["volume"] < 0:
        raise FaultError("volume_is_not_negative")
    text = line.fields.get(settings.column_of("transactions"), "")
    transactions = fields.number(text or "0", "transactions")
    if transactions % 1:
        raise FaultError("transactions")  # a count that was made whole would be another value
    return BarRow(
        ticker=symbol,
        window_start=to_ns(_start(line, settings)),
        transactions=int(transactions),
        **numbers,
    )


def _symbol(line: Line, settings: BarsSettings) -> str:
    return settings.symbol or line.fields.get(settings.column_of("symbol"), "")


def _number(line: Line, settings: BarsSettings, name: str) -> Decimal:
    found = fields.number(line.fields[settings.column_of(name)], name)
    fitting = rounded(found, _DIGITS, digits=_INTEGER_DIGITS)
    if fitting is None:
        raise FaultError(name)
    return fitting


def _start(line: Line, settings: BarsSettings) -> datetime:
    """Return the start of a bar, UTC; that of a day bar is midnight in New York."""
    text = line.fields.get(settings.column_of("time"), "")
    if settings.interval == "1d":
        return new_york(_trade_date(text, settings))
    start = _instant(text, settings)
    return start - _MINUTE if settings.label == "end" else start


def _trade_date(text: str, settings: BarsSettings) -> date:
    if len(text) == _DATE_CHARACTERS:
        return fields.day(text, "time")
    found = datetime.fromisoformat(text) if fields.is_time(text) else None
    if found is None:
        raise FaultError("time")
    if found.tzinfo is None or not settings.zone:
        return found.date()
    return found.astimezone(ZoneInfo(settings.zone)).date()


def _instant(text: str, settings: BarsSettings) -> datetime:
    return fields.zoned(text, settings.zone, "time", fold=settings.fold)
