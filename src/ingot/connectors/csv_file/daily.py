"""Actions out of a table of daily prices, and the check that the prices are as traded.

WIKI: ticker,date,open,high,low,close,volume,ex-dividend,split_ratio,adj_*; zipline's csvdir:
date,open,high,low,close,volume,dividend,split. A split ratio is new shares of one old share.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Final

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError
from ingot.connectors.reference.rows import ActionIds, ActionRow, Bad, Good
from ingot.errors import LookAtDataError, SchemaDriftError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from ingot.connectors.csv_lines import CsvFile, Line

_CASH: Final = ("ex-dividend", "ex_dividend", "dividend", "dividends")
_RATIO: Final = ("split_ratio", "split", "splits")
_NEEDED: Final = frozenset({"date", "open", "close"})
_KNOWN: Final = (
    _NEEDED
    | frozenset(_CASH + _RATIO)
    | {"ticker", "symbol", "high", "low", "volume"}
    | {"adj_open", "adj_high", "adj_low", "adj_close", "adj_volume"}
)
_NONE: Final = Decimal(0)
_ONE: Final = Decimal(1)
_TELLING: Final = log(1.2)
"""A split smaller than 6:5 moves the price no more than a day may: prices cannot confirm it."""


def is_daily(header: tuple[str, ...]) -> bool:
    """Say whether the columns are those of a table of daily prices with actions."""
    names = {name.lower() for name in header}
    return names >= _NEEDED and bool(names & set(_CASH + _RATIO))


def read_daily(file: CsvFile, name: str, *, stem: str) -> Iterator[Good | Bad]:
    """Yield the dividends and splits of a table of daily prices.

    Args:
        file: The table; each symbol's dates ascend or descend.
        name: What messages call it.
        stem: The symbol where the table has no column for it.

    Raises:
        SchemaDriftError: A column is missing or unknown.
        CorruptFileError: The file cannot be read to its end.
        LookAtDataError: The prices do not move by a split on its date: they are not as traded.
    """
    columns = _Columns.of(file.header, name)
    ids = ActionIds()
    table = _Prices(name)
    for line in file.lines():
        try:
            found = _day(line, columns, stem)
        except FaultError as fault:
            yield Bad(line.number, fault.rule, line.raw, line.fields.get(columns.symbol) or None)
            continue
        table.add(found)
        yield from _actions(found, line, ids)
    table.check()


@dataclass(frozen=True, slots=True)
class _Columns:
    """The table's own names for what is needed."""

    symbol: str
    cash: str
    ratio: str

    @classmethod
    def of(cls, header: tuple[str, ...], name: str) -> _Columns:
        lower = {column.lower(): column for column in header}
        unexpected = [column for column in header if column.lower() not in _KNOWN]
        missing = sorted(column for column in _NEEDED if lower.get(column) != column)
        if unexpected or missing:
            raise SchemaDriftError(name, missing=missing, unexpected=unexpected)

        def first(*names: str) -> str:
            return next((lower[n] for n in names if n in lower), "")

        return cls(first("ticker", "symbol"), first(*_CASH), first(*_RATIO))


@dataclass(frozen=True, slots=True)
class _Day:
    symbol: str
    date: date
    open: Decimal
    close: Decimal
    cash: Decimal
    ratio: Decimal


def _day(line: Line, columns: _Columns, stem: str) -> _Day:
    if not line.fields:
        raise FaultError("columns")
    text = line.fields
    cash = fields.number(text[columns.cash] or "0", "cash") if columns.cash else _NONE
    ratio = fields.number(text[columns.ratio] or "1", "ratio") if columns.ratio else _ONE
    if cash < 0 or ratio < 0:
        raise FaultError("cash" if cash < 0 else "ratio")
    return _Day(
        fields.symbol(text[columns.symbol] if columns.symbol else stem),
        fields.day(text["date"][:10], "ex_date"),
        fields.number(text["open"], "open"),
        fields.number(text["close"], "close"),
        cash,
        ratio or _ONE,  # some tables write 0 for no split
    )


def _actions(found: _Day, line: Line, ids: ActionIds) -> Iterator[Good | Bad]:
    try:
        if found.ratio != 1:
            old, new = fields.terms(Fraction(found.ratio))
            yield Good(
                None,
                ActionRow(
                    action_id=ids.next(found.symbol, found.date, fields.SPLIT),
                    symbol=found.symbol,
                    ex_date=found.date,
                    kind=fields.SPLIT,
                    ratio_from=old,
                    ratio_to=new,
                    raw=line.raw,
                ),
            )
        if found.cash:
            yield Good(
                None,
                ActionRow(
                    action_id=ids.next(found.symbol, found.date, fields.CASH_DIVIDEND),
                    symbol=found.symbol,
                    ex_date=found.date,
                    kind=fields.CASH_DIVIDEND,
                    cash=fields.fitted(found.cash, "cash", digits=fields.CASH_DIGITS),
                    currency="USD",
                    raw=line.raw,
                ),
            )
    except FaultError as fault:
        yield Bad(line.number, fault.rule, line.raw, found.symbol)


class _Prices:
    """Closes and splits by symbol; knows whether the one moved by the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._days: dict[str, dict[date, _Day]] = {}

    def add(self, found: _Day) -> None:
        self._days.setdefault(found.symbol, {})[found.date] = found

    def check(self) -> None:
        """Refuse the table when a telling split left its symbol's price where it was."""
        for symbol, by_date in self._days.items():
            days = [by_date[day] for day in sorted(by_date)]
            for before, after in pairwise(days):
                if after.ratio != 1 and _stayed(before, after):
                    raise LookAtDataError(self._words(symbol, before, after))

    def _words(self, symbol: str, before: _Day, after: _Day) -> str:
        should = before.close / after.ratio
        return (
            f"{self._name} says that {symbol} split {after.ratio.normalize():f} for 1 on "
            f"{after.date}, but its price went from {before.close} (close of {before.date}) to "
            f"{after.open} (open) where a traded price goes to about {should:.2f}: its prices are "
            "already adjusted for the split, and its dividends probably too. Nothing of it was "
            "loaded: applying the split again would be wrong by that factor. Load the table as "
            "traded, or write the actions as symbol,ex_date,kind,ratio_from,ratio_to,cash."
        )


def _stayed(before: _Day, after: _Day) -> bool:
    """Say whether the price's move is nearer to none than to the split's ratio."""
    if before.close <= 0 or after.open <= 0:
        return False
    split = log(float(after.ratio))
    moved = log(float(before.close / after.open))
    return abs(split) >= _TELLING and abs(moved) < abs(moved - split)
