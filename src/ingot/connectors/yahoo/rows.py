"""Bars and actions of landed charts.

Silver brings them to what was traded: a price is multiplied by the splits since, new shares to
old, which each bar carries; a dividend is multiplied by the splits after its ex-date here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError
from ingot.connectors.reference.rows import ActionIds, ActionRow, Bad, DayBarRow, Good
from ingot.connectors.rest.bundle import canonical
from ingot.connectors.yahoo import landed
from ingot.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from ingot.connectors.rest.bundle import Query

PRICE_BASIS: Final = "split_adjusted"
_MINOR: Final = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
"""Minor units, a hundredth of the currency."""
_PENNIES: Final = 100


@dataclass(frozen=True, slots=True)
class _Split:
    ex_date: date
    ratio: Fraction
    """New shares of one old."""
    raw: Mapping[str, Any]


def read_actions(queries: Sequence[Query]) -> Iterator[Good | Bad]:
    """Yield the splits, then the dividends, oldest first."""
    by_name = {query.name: query.rows for query in queries}
    meta = _meta(by_name)
    symbol = str(meta["symbol"])
    splits, bad = _splits(by_name[landed.SPLITS])
    ids = ActionIds()
    for split in splits:
        try:
            yield Good(None, _split_row(split, symbol, ids))
        except FaultError as fault:
            yield Bad(0, fault.rule, canonical(split.raw), symbol)
    for number, row in enumerate(by_name[landed.DIVIDENDS], start=1):
        try:
            yield Good(None, _dividend(row, symbol, str(meta.get("currency", "")), splits, ids))
        except FaultError as fault:
            yield Bad(number, fault.rule, canonical(row), symbol)
    yield from (Bad(number, "ratio", canonical(row), symbol) for number, row in bad)


def read_bars(queries: Sequence[Query]) -> Iterator[Good | Bad]:
    """Yield the bars, oldest first, each with the splits that were taken out of it."""
    by_name = {query.name: query.rows for query in queries}
    meta = _meta(by_name)
    splits, bad = _splits(by_name[landed.SPLITS])
    if bad:
        raise CorruptFileError(
            f"Yahoo gives {meta['symbol']} a split that cannot be read ({canonical(bad[0][1])}), "
            "so that its prices cannot be brought to what was traded. Nothing was loaded."
        )
    seen: set[date] = set()
    for number, row in enumerate(by_name[landed.BARS], start=1):
        try:
            bar = _bar(row, meta, splits)
            if bar.trade_date in seen:
                raise FaultError("duplicate")  # noqa: TRY301 (refused as the others are)
        except FaultError as fault:
            yield Bad(number, fault.rule, canonical(row), str(meta["symbol"]))
            continue
        seen.add(bar.trade_date)
        yield Good(number, bar)


def _meta(by_name: Mapping[str, tuple[Mapping[str, Any], ...]]) -> Mapping[str, Any]:
    try:
        return by_name[landed.META][0]
    except (KeyError, IndexError) as exc:
        raise CorruptFileError(
            "A landed chart has no head. Nothing was loaded; fetch it again."
        ) from exc


def _splits(
    rows: Sequence[Mapping[str, Any]],
) -> tuple[list[_Split], list[tuple[int, Mapping[str, Any]]]]:
    found: list[_Split] = []
    bad: list[tuple[int, Mapping[str, Any]]] = []
    for number, row in enumerate(rows, start=1):
        try:
            new, old = (fields.number(str(row[n]), "ratio") for n in ("numerator", "denominator"))
            if new <= 0 or old <= 0:
                raise FaultError("ratio")  # noqa: TRY301 (refused as the others are)
            ex_date = fields.day(str(row["ex_date"]), "ex_date")
            found.append(_Split(ex_date, Fraction(new) / Fraction(old), row))
        except (FaultError, KeyError):
            bad.append((number, row))
    return found, bad


def _since(splits: Sequence[_Split], day: date) -> Fraction:
    """Return the product of the splits with an ex-date after `day`."""
    product = Fraction(1)
    for split in splits:
        if split.ex_date > day:
            product *= split.ratio
    return product


def _split_row(split: _Split, symbol: str, ids: ActionIds) -> ActionRow:
    old, new = fields.terms(split.ratio)
    return ActionRow(
        action_id=ids.next(symbol, split.ex_date, fields.SPLIT),
        symbol=symbol,
        ex_date=split.ex_date,
        kind=fields.SPLIT,
        ratio_from=old,
        ratio_to=new,
        raw=canonical(split.raw),
    )


def _dividend(
    row: Mapping[str, Any],
    symbol: str,
    unit: str,
    splits: Sequence[_Split],
    ids: ActionIds,
) -> ActionRow:
    ex_date = fields.day(str(row.get("ex_date", "")), "ex_date")
    unit = str(row.get("currency") or unit)
    amount = Fraction(fields.number(str(row.get("amount", "")), "cash"))
    cash = amount * _since(splits, ex_date) / (_PENNIES if unit in _MINOR else 1)
    value = Decimal(cash.numerator) / Decimal(cash.denominator)
    return ActionRow(
        action_id=ids.next(symbol, ex_date, fields.CASH_DIVIDEND),
        symbol=symbol,
        ex_date=ex_date,
        kind=fields.CASH_DIVIDEND,
        cash=fields.fitted(value, "cash", digits=fields.CASH_DIGITS),
        currency=fields.currency(_MINOR.get(unit, unit)),
        raw=canonical(row),
    )


def _bar(row: Mapping[str, Any], meta: Mapping[str, Any], splits: Sequence[_Split]) -> DayBarRow:
    day = fields.day(str(row.get("trade_date", "")), "trade_date")
    prices = [_real(row, name) for name in ("open", "high", "low", "close")]
    if any(price is None or price <= 0 for price in prices):
        raise FaultError("price_not_positive")
    volume = _real(row, "volume")
    if volume is not None and volume < 0:
        raise FaultError("negative_volume")
    old, new = fields.exact_terms(_since(splits, day))
    return DayBarRow(
        symbol=str(meta["symbol"]),
        trade_date=day,
        bar_start=int(row["timestamp"]),
        range_start=fields.day(str(meta["range_start"]), "range_start"),
        range_end=fields.day(str(meta["range_end"]), "range_end"),
        open=prices[0] or 0.0,
        high=prices[1] or 0.0,
        low=prices[2] or 0.0,
        close=prices[3] or 0.0,
        adjusted_close=_real(row, "adjclose"),
        volume=volume or 0.0,
        currency=str(meta.get("currency", "")),
        time_zone=str(meta["exchangeTimezoneName"]),
        price_basis=PRICE_BASIS,
        splits_from=old,
        splits_to=new,
    )


def _real(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, int | Decimal) else None
