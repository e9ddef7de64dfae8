"""Who holds a symbol, and which symbols traded on a date, as known at a moment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ingot.app.context.answer_table import listed
from ingot.engines.sandbox.rule_expression import bad_rule, probe, require_rule
from ingot.errors import QueryError
from ingot.model.time import as_of
from ingot.query.requests.universe import COLUMNS, universe_sql
from ingot.tables.view import readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from ingot.app.context.lake_context import Parts
    from ingot.app.read.reader import Reader
    from ingot.query.requests.symbology import Segment
    from ingot.query.result.answer import Answer

_OF_ROW: Final = ("instrument_id", "name", "type", "exchange", "valid_from", "valid_to")
_RESOLVED: Final = (
    ("symbol", pa.string()),
    ("instrument_id", pa.string()),
    ("name", pa.string()),
    ("type", pa.string()),
    ("exchange", pa.string()),
    ("valid_from", pa.date32()),
    ("valid_to", pa.date32()),
    ("trades_from", pa.date32()),
    ("holds_on_date", pa.bool_()),
    ("source", pa.string()),
)


def resolve(
    parts: Parts, reader: Reader, symbol: str, day: date, known_at: str | date | datetime | None
) -> Answer:
    """Return every symbol of the instrument that holds `symbol` on `day`, oldest first.

    `valid_from` is the source's date; `trades_from` the first session on which the bars carry the
    symbol, where they differ by a few sessions. No row where no instrument holds it.
    """
    moment = as_of(known_at, parts.clock)
    found = reader.perspectives.resolved(readable(symbol), day, moment)
    if found is None:
        text = f"no instrument holds {symbol} on {day}: the symbol is read literally"
        return replace(listed(parts, _RESOLVED, (), notices=[text]), known_at=moment.known_at)
    rows = []
    for row in found.rows:
        span = _span(row, found.segments)
        shown = (row[name] for name in ("symbol", *_OF_ROW))
        holds = row["symbol"] == symbol and span[0] <= day < span[1]
        rows.append((*shown, span[0], holds, row["source"]))
    notices = [f"{symbol} is also held by {o.title}, {o.start} to {o.end}" for o in found.others]
    return replace(listed(parts, _RESOLVED, rows, notices=notices), known_at=moment.known_at)


def _span(row: Mapping[str, Any], segments: Sequence[Segment]) -> tuple[date, date]:
    """Return the trade dates of a row's symbol, by the bars where they say."""
    start, end = row["valid_from"], row["valid_to"]
    for segment in segments:
        if segment.symbol == row["symbol"] and segment.start < end and start < segment.end:
            return segment.start, segment.end
    return start, end


def universe(
    parts: Parts,
    reader: Reader,
    day: date,
    known_at: str | date | datetime | None,
    *,
    rule: str | None,
) -> Answer:
    """Return the symbols that traded on a date, delisted ones included, as known at a moment.

    Raises:
        QueryError: The rule is not one condition over the columns.
    """
    if rule is not None:
        _require_condition(reader, rule)
    settings = parts.settings
    text = universe_sql(
        day,
        rule=rule,
        bar_sources=settings.sources_on(day),
        instrument_sources=settings.instrument_sources,
    )
    answer = reader.sql(text, known_at)
    if len(answer) or rule:
        return answer
    return replace(answer, notices=(*answer.notices, f"no bars of {day} are known"))


def _require_condition(reader: Reader, rule: str) -> None:
    require_rule(rule, COLUMNS)
    try:
        kept = reader.sql(probe(rule, COLUMNS), None).to_arrow().schema.field("kept").type
    except QueryError as exc:
        raise bad_rule(rule, "cannot be evaluated", COLUMNS) from exc
    if not pa.types.is_boolean(kept):
        raise bad_rule(rule, f"gives {kept} and not true or false", COLUMNS)
