"""Corporate actions written by hand: one line each.

symbol,ex_date,kind,ratio_from,ratio_to,cash,currency,known_from
AAPL,2014-06-09,split,1,7,,,2014-04-23T16:30:00-04:00
KO,2012-11-28,cash_dividend,,,0.255,USD,
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError, optional
from ingot.connectors.reference.rows import ActionIds, ActionRow, Bad, Good

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from ingot.connectors.csv_lines import CsvFile, Line

NEEDED: Final = frozenset({"symbol", "ex_date", "kind"})
KNOWN: Final = NEEDED | {"ratio_from", "ratio_to", "cash", "currency", "known_from"}
_DOLLARS: Final = "USD"


def read_actions(file: CsvFile) -> Iterator[Good | Bad]:
    """Yield the file's actions; a line that breaks a rule is refused with the rule's name.

    Raises:
        SchemaDriftError: A needed column is missing, or one is unknown.
        CorruptFileError: The file cannot be read to its end.
    """
    file.check(NEEDED, KNOWN)
    ids = ActionIds()
    for line in file.lines():
        try:
            yield Good(line.number, _row(line, ids))
        except FaultError as fault:
            yield Bad(line.number, fault.rule, line.raw, line.fields.get("symbol") or None)


def _row(line: Line, ids: ActionIds) -> ActionRow:
    if not line.fields:
        raise FaultError("columns")
    text = line.fields.get
    symbol = fields.symbol(text("symbol", ""))
    ex_date = fields.day(text("ex_date", ""), "ex_date")
    kind = text("kind", "")
    if kind not in fields.KINDS:
        raise FaultError("kind")
    old, new = _ratio(kind, text("ratio_from", ""), text("ratio_to", ""))
    cash = _cash(kind, text("cash", ""))
    currency = optional(text("currency", ""), fields.currency)
    stated = optional(text("known_from", ""), lambda t: fields.instant(t, "known_from"))
    return ActionRow(
        action_id=ids.next(symbol, ex_date, kind),
        symbol=symbol,
        ex_date=ex_date,
        kind=kind,
        ratio_from=old,
        ratio_to=new,
        cash=cash,
        currency=currency or (_DOLLARS if cash else None),
        stated_from=stated,
        raw=line.raw,
    )


def _ratio(kind: str, old: str, new: str) -> tuple[Decimal | None, Decimal | None]:
    if bool(old) != bool(new) or (kind in fields.BY_RATIO and not old):
        raise FaultError("ratio")
    if not old:
        return None, None
    if kind == fields.CASH_DIVIDEND:
        raise FaultError("ratio")
    return (
        fields.positive(old, "ratio", digits=fields.RATIO_DIGITS),
        fields.positive(new, "ratio", digits=fields.RATIO_DIGITS),
    )


def _cash(kind: str, text: str) -> Decimal | None:
    if kind == fields.CASH_DIVIDEND and not text:
        raise FaultError("cash")
    if text and kind in fields.BY_RATIO:
        raise FaultError("cash")
    return optional(text, lambda t: fields.positive(t, "cash", digits=fields.CASH_DIGITS))
