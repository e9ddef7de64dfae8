"""What a lake has of each symbol and trade date, and what has to be done about the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ingot.app.context.answer_table import as_table, listed
from ingot.app.inventory.markets import markets_of
from ingot.app.read.reader import reader_of
from ingot.app.read.views import Views
from ingot.app.trust.day_status import BUILD, DECIDE, FETCH, Day, days_of
from ingot.model.calendar import REGULAR
from ingot.model.time import as_of
from ingot.model.unit import Scope
from ingot.quality import coverage as rules
from ingot.query.requests.listings import Listing
from ingot.query.result.answer import Answer
from ingot.storage.iceberg.write.replacement import Replacement
from ingot.tables import gold, ops, silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.input import ArrowRelation
from ingot.tables.view import Condition, View

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from ingot.app.context.lake_context import Parts
    from ingot.model.time import AsOf

_ONE_DAY: Final = timedelta(days=1)
_INSTANT: Final = pa.timestamp("us", tz="UTC")
_COLUMNS: Final = tuple(
    (field.name, field.type) for field in arrow_schema(ops.COVERAGE) if field.name in rules.COLUMNS
)
_PLAN: Final = (
    ("todo", pa.string()),
    ("source", pa.string()),
    ("dataset", pa.string()),
    ("first_date", pa.date32()),
    ("last_date", pa.date32()),
    ("days", pa.int64()),
    ("size_bytes", pa.int64()),
    ("files", pa.string()),
    ("why", pa.string()),
)
_HELD: Final = Listing(
    "SELECT symbol, valid_from AS listed_from, valid_to AS listed_to "
    f"FROM {silver.INSTRUMENTS.name} ORDER BY symbol, valid_from",
    (silver.INSTRUMENTS.name,),
    (),
)
"""When which symbol was held by any instrument of any source."""
_ALERTS: Final = (rules.HOLE, rules.REFUSED)
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was found."""

    days: Answer
    """One row for each dataset and calendar day: the market's state."""
    rows: Answer
    """One row for each symbol and trade date of the request, or the alerts among them."""
    plan: Answer
    """What has to be done: which files, how many bytes, which days."""
    exit_code: int
    """0 whole, 3 something is wrong, 4 something is only to come."""

    def joined(self) -> Answer:
        """Return the market's days and the symbols' rows as one answer, in ops.coverage's words."""
        days = self.days.to_arrow()
        data = pa.concat_tables([days, self.rows.to_arrow().cast(days.schema)])
        return Answer(data=data, known_at=self.rows.known_at)


def coverage(
    parts: Parts,
    *,
    start: date | None,
    end: date,
    symbols: Collection[str] = (),
    known_at: str | date | datetime | None = None,
    everything: bool = False,
    listings: pa.Table | None = None,
    halts: pa.Table | None = None,
) -> Coverage:
    """State what is there of the trade dates in `[start, end)`, and what has to be done.

    Args:
        parts: The lake.
        start: First trade date; the first that landed by default.
        end: The day after the last; days whose files are not due yet are unknown.
        symbols: Only these; every symbol by default.
        known_at: The moment whose knowledge is used.
        everything: Return every symbol and day, not the holes and refusals alone.
        listings: symbol, listed_from, listed_to (null while listed); silver.instruments by
            default. Where neither knows a symbol, it is unknown before its first and after its
            last bar.
        halts: symbol, trade_date, start_ns, end_ns; without it nothing is halted.
    """
    moment = as_of(known_at, parts.clock)
    days = days_of(parts, start, end, moment.known_at)
    span = (min((d.trade_date for d in days), default=end - _ONE_DAY), end)
    states = () if everything or symbols else _ALERTS
    data = _computed(
        parts, days, span, moment, states=states, symbols=symbols, known=(listings, halts)
    )
    found = {d.state for d in days} | {str(s) for s in data["state"].unique().to_pylist()}
    if any(d.todo == DECIDE for d in days):
        found.add(rules.REFUSED)
    unfinished = any(d.is_unfinished for d in days)
    return Coverage(
        days=listed(parts, _COLUMNS, [_day_row(day) for day in days]),
        rows=Answer(data=data, known_at=moment.known_at),
        plan=listed(parts, _PLAN, [*_plan(days, data)]),
        exit_code=rules.exit_code(found, unfinished=unfinished),
    )


def save(parts: Parts, *, start: date | None, end: date) -> int:
    """Compute the whole market's coverage and keep it in ops.coverage; return its rows.

    What the table had of these dates is replaced. Done month by month, to bound memory.
    """
    moment = as_of(None, parts.clock)
    days = days_of(parts, start, end, moment.known_at)
    total = 0
    for _, group in groupby(
        sorted(days, key=lambda d: d.trade_date), key=lambda d: d.trade_date.replace(day=1)
    ):
        part = list(group)
        span = (part[0].trade_date, part[-1].trade_date + _ONE_DAY)
        data = _computed(parts, part, span, moment, states=(), symbols=(), known=(None, None))
        total += _kept(parts, span, part, data, moment)
    return total


def _kept(
    parts: Parts, span: tuple[date, date], days: Sequence[Day], data: pa.Table, moment: AsOf
) -> int:
    whole = listed(parts, _COLUMNS, [_day_row(day) for day in days]).to_arrow()
    rows = pa.concat_tables([whole, data.cast(whole.schema)])
    instant = pa.scalar(moment.known_at, _INSTANT)
    now = pa.array([instant] * rows.num_rows, _INSTANT)
    schema = arrow_schema(ops.COVERAGE)
    rows = rows.append_column("known_at", now).append_column("computed_at", now)
    rows = rows.sort_by([("trade_date", "ascending"), ("symbol", "ascending")]).cast(schema)
    scope = Scope("", "", *span)
    files = parts.tables.write(ops.COVERAGE, scope, "coverage", rows.to_reader())
    replacement = Replacement(scope=scope, files=files, unit=f"{ops.COVERAGE.name}/{span[0]}")
    parts.tables.replace(ops.COVERAGE, [replacement], run=parts.run)
    count: int = rows.num_rows
    return count


def _computed(
    parts: Parts,
    days: Sequence[Day],
    span: tuple[date, date],
    moment: AsOf,
    *,
    states: Collection[str],
    symbols: Collection[str],
    known: tuple[pa.Table | None, pa.Table | None],
) -> pa.Table:
    relations: dict[str, Iterable[Sequence[Any]]] = {
        "coverage_markets": _markets(parts),
        "coverage_days": (
            (d.source, d.dataset, d.kind, d.trade_date, d.state, d.evidence) for d in days
        ),
        "coverage_sessions": _sessions(parts, span),
        "coverage_refused": _refused(parts, days),
    }
    made = {name: as_table(rules.RELATIONS[name], rows) for name, rows in relations.items()}
    reader = reader_of(parts)
    listings, halts = known
    if listings is None:
        known_at = None if moment.is_now else moment.known_at
        listings = reader.listing(_HELD, known_at).to_arrow()
    made["coverage_listed"] = _given("coverage_listed", listings, ())
    made["coverage_halts"] = _given("coverage_halts", halts, symbols)
    views = {n: View(n, ArrowRelation(r), tuple(r.column_names)) for n, r in made.items()}
    narrow = [Condition("trade_date", ">=", span[0]), Condition("trade_date", "<", span[1])]
    if symbols:
        narrow.append(Condition("symbol", "in", tuple(sorted(set(symbols)))))
    tables = Views(parts)
    views[silver.MINUTE_BARS.name] = tables.view(silver.MINUTE_BARS.name, moment, narrow)
    for name in (silver.DAY_BARS.name, gold.DAILY_BARS.name):
        views[name] = tables.view(name, moment)
    return reader.run(rules.coverage_sql(*span, states=states, symbols=symbols), views)


def _given(name: str, rows: pa.Table | None, symbols: Collection[str]) -> pa.Table:
    """Return rows that the caller has in the text's types, of these symbols if some are named."""
    schema = rules.RELATIONS[name]
    if rows is None:
        return schema.empty_table()
    found = rows.select(schema.names).cast(schema)
    if symbols:
        found = found.filter(pc.is_in(found["symbol"], pa.array(sorted(set(symbols)))))
    return found


def _markets(parts: Parts) -> Iterator[tuple[str, str, str, str]]:
    for market in markets_of(parts):
        for dataset in market.datasets:
            kind = rules.MINUTES if dataset is market.minutes else rules.DAYS
            yield market.source, market.name, dataset.name, kind


def _sessions(parts: Parts, span: tuple[date, date]) -> Iterator[tuple[date, int, int]]:
    for day in parts.calendar.between(*span):
        regular = [s for s in parts.calendar.of_date(day) if s.session == REGULAR]
        yield day, min(s.start_ns for s in regular), max(s.end_ns for s in regular)


def _refused(parts: Parts, days: Sequence[Day]) -> list[tuple[str, str, str, str, date, int]]:
    """Return the keys of the rows that were refused in the files of these days."""
    files = {day.file: day for day in days if day.file}
    used: dict[int, Day] = {}
    for source, dataset in sorted({(d.source, d.dataset) for d in days}):
        for state in parts.ledger.states(source, dataset):
            day = files.get(state.landing.key)
            if day is not None and state.in_force_from is not None:
                used[state.landing.landing_id] = day
    rows = parts.ledger.refused_keys(sorted(used)).drop_null().to_pylist()
    return [
        (day.source, day.dataset, day.kind, row["symbol"], day.trade_date, row["bar_start_ns"])
        for row in rows
        for day in [used[row["landing_id"]]]
    ]


def _day_row(day: Day) -> tuple[Any, ...]:
    source, dataset = day.source, day.dataset
    return (source, dataset, "", day.trade_date, None, None, day.state, day.rows, day.evidence)


def _plan(days: Iterable[Day], rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield what has to be done, days in a row together."""
    wanted = {(d.todo, d.source, d.dataset, d.trade_date): d for d in days if d.todo}
    known = {(d.source, d.dataset, d.trade_date): d for d in days}
    for (source, dataset, day), count in sorted(_holes(rows).items()):
        found = known.get((source, dataset, day))
        if found is not None and not found.todo:
            why = f"{count} symbols have holes: the vendor may have put them right"
            wanted[FETCH, source, dataset, day] = replace(found, evidence=why)
    for (todo, source, dataset), group in groupby(sorted(wanted), key=lambda key: key[:3]):
        part = [wanted[key] for key in group]
        named = [d.file for d in part if d.file]
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        yield (
            _COMMANDS[todo],
            source,
            dataset,
            part[0].trade_date,
            part[-1].trade_date,
            len(part),
            sum(d.size_bytes for d in part) if todo == FETCH else 0,
            ", ".join(named[:_SHOWN]) + more,
            _why([d.evidence for d in part]),
        )


def _why(evidence: Sequence[str]) -> str:
    """Return the evidence of the first day, and whether that of later ones is another."""
    others = set(evidence) - {evidence[0]}
    return evidence[0] + ("; the others likewise" if others else "")


_COMMANDS: Final = {
    FETCH: "ingot ingest",
    DECIDE: "ingot landings accept|reject",
    BUILD: "ingot build",
}


def _holes(rows: pa.Table) -> Counter[tuple[str, str, date]]:
    columns = (rows[name].to_pylist() for name in ("source", "dataset", "trade_date", "state"))
    keys = zip(*columns, strict=True)
    return Counter((a, b, day) for a, b, day, state in keys if state == rules.HOLE)
