"""Bars and actions of landed charts.

Silver brings them to what was traded: a price is multiplied by the splits since, new shares to
old, which each bar carries; a dividend is multiplied by the splits after its ex-date here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError
from ingot.connectors.reference.rows import ActionIds, ActionRow, Bad, DayBarRow, Good
from ingot.connectors.transport.http.response_bundle import canonical
from ingot.connectors.yahoo import landed
from ingot.connectors.yahoo.chart import PRICES
from ingot.errors import CorruptFileError
from ingot.model.currency import major

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from ingot.connectors.transport.http.response_bundle import Query

PRICE_BASIS: Final = "split_adjusted"


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
            yield Good(None, _dividend(row, symbol, _unit(meta), splits, ids))
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
    dates: set[date] = set()
    for number, row in enumerate(by_name[landed.BARS], start=1):
        try:
            bar = _bar(row, meta, splits)
            if bar.trade_date in dates:
                raise FaultError("duplicate")  # noqa: TRY301 (refused as the others are)
        except FaultError as fault:
            yield Bad(number, fault.rule, canonical(row), str(meta["symbol"]))
            continue
        dates.add(bar.trade_date)
        yield Good(number, bar)


def _meta(by_name: Mapping[str, tuple[Mapping[str, Any], ...]]) -> Mapping[str, Any]:
    try:
        meta = by_name[landed.META][0]
        meta["symbol"]
    except (KeyError, IndexError) as exc:
        raise CorruptFileError(
            "A landed chart has no head. Nothing was loaded; fetch it again."
        ) from exc
    return meta


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
    code, units = major(unit)
    amount = Fraction(fields.number(str(row.get("amount", "")), "cash"))
    cash = amount * _since(splits, ex_date) / units
    return ActionRow(
        action_id=ids.next(symbol, ex_date, fields.CASH_DIVIDEND),
        symbol=symbol,
        ex_date=ex_date,
        kind=fields.CASH_DIVIDEND,
        cash=fields.fitted(cash, "cash", digits=fields.CASH_DIGITS),
        currency=fields.currency(code),
        raw=canonical(row),
    )


def _bar(row: Mapping[str, Any], meta: Mapping[str, Any], splits: Sequence[_Split]) -> DayBarRow:
    day = fields.day(str(row.get("trade_date", "")), "trade_date")
    ratio = _since(splits, day)
    old, new = fields.exact_terms(ratio)
    unit = _unit(meta)
    if unit:
        fields.currency(major(unit)[0])
    adjusted = row.get("adjclose")
    return DayBarRow(
        symbol=str(meta["symbol"]),
        trade_date=day,
        bar_start=int(fields.json_number(row.get("timestamp"), "timestamp")),
        range_start=fields.day(str(meta["range_start"]), "range_start"),
        range_end=fields.day(str(meta["range_end"]), "range_end"),
        **{name: _price(row.get(name), ratio / major(unit)[1]) for name in PRICES},
        adjusted_close=None if adjusted is None else _real(adjusted, "adjusted_close"),
        volume=_volume(row.get("volume"), ratio),
        currency=unit,
        time_zone=str(meta["exchangeTimezoneName"]),
        price_basis=PRICE_BASIS,
        splits_from=old,
        splits_to=new,
    )


def _unit(meta: Mapping[str, Any]) -> str:
    """Return the currency or minor unit of a chart; empty where it names none."""
    return str(meta.get("currency") or "")


def _price(value: object, traded: Fraction) -> float:
    """Return a price as answered, which times `traded` is one that silver can hold."""
    price = fields.json_number(value, "price")
    if price <= 0:
        raise FaultError("price_not_positive")
    fields.fitted(Fraction(price) * traded, "price", digits=fields.PRICE_DIGITS)
    return float(price)


def _volume(value: object, ratio: Fraction) -> float:
    """Return a volume as answered, 0 where there is none; as traded it is divided by `ratio`."""
    volume = fields.json_number(0 if value is None else value, "volume")
    if volume < 0:
        raise FaultError("negative_volume")
    if volume:
        fields.fitted(Fraction(volume) / ratio, "volume", digits=fields.PRICE_DIGITS)
    return float(volume)


def _real(value: object, rule: str) -> float:
    return float(fields.json_number(value, rule))
