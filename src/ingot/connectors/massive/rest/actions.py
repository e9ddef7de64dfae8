"""Splits and dividends of the vendor's REST interface.

New endpoints, since February 2026: stocks/v1/splits and stocks/v1/dividends, with an id for each
row. The deprecated v3/reference/splits and v3/reference/dividends have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError, optional
from ingot.connectors.reference.rows import ActionIds, ActionRow, Bad, Good
from ingot.connectors.transport.http.response_bundle import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from ingot.connectors.transport.http.response_bundle import Query

SPLITS: Final = ("stocks/v1/splits", "v3/reference/splits")
DIVIDENDS: Final = ("stocks/v1/dividends", "v3/reference/dividends")
"""The endpoint to prefer, then the deprecated one."""
_KINDS: Final = {
    "forward_split": fields.SPLIT,
    "reverse_split": fields.SPLIT,
    "stock_dividend": fields.STOCK_DIVIDEND,
}


def read_actions(queries: Sequence[Query]) -> Iterator[Good | Bad]:
    """Yield the actions of a landed query, in the vendor's order.

    A row that is repeated (pages shift while they are walked) counts once; a second row of one
    id that says something else is refused.
    """
    made = ActionIds()
    texts: set[str] = set()
    ids: set[str] = set()
    number = 0
    for query in queries:
        read = _split if query.name in SPLITS else _dividend
        for row in query.rows:
            number += 1
            raw = canonical(row)
            if raw in texts:
                continue
            texts.add(raw)
            try:
                action = read(row, raw, made)
                if action.action_id in ids:
                    raise FaultError("duplicate_id")  # noqa: TRY301 (refused as the others are)
            except FaultError as fault:
                yield Bad(number, fault.rule, raw, text_of(row, "ticker") or None)
                continue
            ids.add(action.action_id)
            yield Good(number, action)


def _split(row: Mapping[str, Any], raw: str, made: ActionIds) -> ActionRow:
    symbol = fields.symbol(text_of(row, "ticker"))
    ex_date = fields.day(text_of(row, "execution_date"), "ex_date")
    kind = _KINDS.get(text_of(row, "adjustment_type") or "forward_split")
    if kind is None:
        raise FaultError("kind")
    return ActionRow(
        action_id=text_of(row, "id") or made.next(symbol, ex_date, kind),
        symbol=symbol,
        ex_date=ex_date,
        kind=kind,
        ratio_from=_shares(row, "split_from"),
        ratio_to=_shares(row, "split_to"),
        raw=raw,
    )


def _dividend(row: Mapping[str, Any], raw: str, made: ActionIds) -> ActionRow:
    symbol = fields.symbol(text_of(row, "ticker"))
    ex_date = fields.day(text_of(row, "ex_dividend_date"), "ex_date")
    cash = fields.number(text_of(row, "cash_amount"), "cash")
    return ActionRow(
        action_id=text_of(row, "id") or made.next(symbol, ex_date, fields.CASH_DIVIDEND),
        symbol=symbol,
        ex_date=ex_date,
        kind=fields.CASH_DIVIDEND,
        cash=fields.fitted(cash, "cash", digits=fields.CASH_DIGITS),
        currency=fields.currency((text_of(row, "currency") or "USD").upper()),
        declared_date=optional(
            text_of(row, "declaration_date"), lambda t: fields.day(t, "declared_date")
        ),
        raw=raw,
    )


def _shares(row: Mapping[str, Any], name: str) -> Decimal:
    return fields.fitted(
        fields.number(text_of(row, name), "ratio"), "ratio", digits=fields.RATIO_DIGITS
    )


def text_of(row: Mapping[str, Any], name: str) -> str:
    """Return a field of JSON as text; empty where it is absent or not a plain value."""
    value = row.get(name)
    return "" if value is None or isinstance(value, bool | dict | list) else str(value)
