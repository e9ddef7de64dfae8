"""Factor files: splits and dividends, as the factors of past prices show them.

A line `YYYYMMDD,price_factor,split_factor,reference_price` holds until its date, included: prices
of those days are multiplied by both. From one line to the next, on the session after its date,

    split_factor  = next split_factor x old shares / new shares
    price_factor  = next price_factor x (1 - dividend / reference_price)

with reference_price the close of the line's date. Files print 6 to 8 digits. Going from the last
line back, each action is the simplest number - a ratio of small whole numbers, a dividend of few
decimals - that gives the line's factor within half of 1e-6 and of 1e-7: what is rebuilt from the
actions never drifts away from the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from ingot.connectors.lean import maps
from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError
from ingot.connectors.reference.rows import ActionIds, ActionRow, Bad, Good

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from ingot.connectors.lean.bundle import Line

_FIELDS: Final = 4
_SPLIT_WITHIN: Final = Fraction(5, 10_000_000)
_PRICE_WITHIN: Final = Fraction(1, 10_000_000)
_DOLLARS: Final = "USD"


@dataclass(frozen=True, slots=True)
class _Row:
    line: Line
    last: date
    price: Fraction
    split: Fraction
    reference: Fraction


@dataclass(frozen=True, slots=True)
class _Change:
    """What happened after a line's date."""

    row: _Row
    ratio: Fraction
    """New shares for one old; 1 for no split."""
    cash: Fraction
    """Per share before the split; 0 for no dividend."""


def read_actions(
    factor_lines: Sequence[Line],
    map_lines: Sequence[Line],
    *,
    permanent: str,
    next_session: Callable[[date], date],
) -> Iterator[Good | Bad]:
    """Yield the splits and dividends of a factor file, oldest first.

    Args:
        factor_lines: The file.
        map_lines: Its map file, which names the symbol on each ex-date; may be empty.
        permanent: The symbol where there is no map file: the file's name.
        next_session: Returns the trade date after a date.
    """
    rows, bad = _rows(factor_lines)
    symbols, _ = maps.spans(map_lines)
    ids = ActionIds()
    changes: list[_Change] = []
    for item in _changes(rows):
        if isinstance(item, Bad):
            bad.append(item)
        else:
            changes.append(item)
    for change in reversed(changes):
        ex_date = next_session(change.row.last)
        symbol = maps.symbol_on(symbols, ex_date) or permanent
        try:
            yield from _actions(change, symbol, ex_date, ids)
        except FaultError as fault:
            yield Bad(change.row.line.number, fault.rule, change.row.line.raw, symbol)
    yield from bad


def _rows(lines: Sequence[Line]) -> tuple[list[_Row], list[Bad]]:
    rows: list[_Row] = []
    bad: list[Bad] = []
    for line in lines:
        try:
            row = _row(line)
            if rows and row.last <= rows[-1].last:
                raise FaultError("order")  # noqa: TRY301 (refused as every broken rule is)
            rows.append(row)
        except FaultError as fault:
            bad.append(Bad(line.number, fault.rule, line.raw))
    return rows, bad


def _row(line: Line) -> _Row:
    if len(line.parts) != _FIELDS:
        raise FaultError("columns")
    last = maps.day_of(line.parts[0])
    price, split, reference = (Fraction(fields.number(p, "factor")) for p in line.parts[1:])
    if price <= 0 or split <= 0 or reference < 0:
        raise FaultError("factor")
    return _Row(line, last, price, split, reference)


def _changes(rows: Sequence[_Row]) -> Iterator[_Change | Bad]:
    """Yield what happened between each row and the next, newest first."""
    if not rows:
        return
    price, split = rows[-1].price, rows[-1].split
    for row in reversed(rows[:-1]):
        ratio = _ratio(split, row.split)
        try:
            cash = _cash(price, row)
        except FaultError as fault:
            price, split = row.price, split / ratio
            yield Bad(row.line.number, fault.rule, row.line.raw)
            continue
        if ratio != 1 or cash:
            yield _Change(row, ratio, cash)
        split /= ratio
        price *= 1 - cash / row.reference if cash else 1


def _ratio(after: Fraction, before: Fraction) -> Fraction:
    """Return the simplest ratio that turns the factor after into the one before."""
    exact = after / before
    spread = _SPLIT_WITHIN * exact / before  # the ratio's error when the factor's is 5e-7
    near = fields.simplest(exact, spread)
    return exact if near is None or abs(after / near - before) > _SPLIT_WITHIN else near


def _cash(after: Fraction, row: _Row) -> Fraction:
    """Return the dividend of fewest decimals that turns the factor after into the row's."""
    if abs(after - row.price) <= _PRICE_WITHIN:
        return Fraction(0)
    if row.price > after:
        raise FaultError("negative_dividend")
    if row.reference == 0:
        raise FaultError("reference_price")
    exact = row.reference * (1 - row.price / after)
    for digits in range(2, fields.CASH_DIGITS + 1):
        cash = round(exact, digits)
        if cash and abs(after * (1 - cash / row.reference) - row.price) <= _PRICE_WITHIN:
            return cash
    return exact


def _actions(change: _Change, symbol: str, ex_date: date, ids: ActionIds) -> Iterator[Good | Bad]:
    line = change.row.line
    if change.ratio != 1:
        old, new = fields.exact_terms(change.ratio)
        yield Good(
            None,
            ActionRow(
                action_id=ids.next(symbol, ex_date, fields.SPLIT),
                symbol=symbol,
                ex_date=ex_date,
                kind=fields.SPLIT,
                ratio_from=old,
                ratio_to=new,
                raw=line.raw,
            ),
        )
    if change.cash:
        # The close is per old share, the dividend of a split's ex-date per new one.
        cash = change.cash / change.ratio
        yield Good(
            None,
            ActionRow(
                action_id=ids.next(symbol, ex_date, fields.CASH_DIVIDEND),
                symbol=symbol,
                ex_date=ex_date,
                kind=fields.CASH_DIVIDEND,
                cash=fields.fitted(cash, "cash", digits=fields.CASH_DIGITS),
                currency=_DOLLARS,
                raw=line.raw,
            ),
        )
