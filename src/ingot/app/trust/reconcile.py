"""Reconciles two sides: opens each, compares them, and says what differs and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.context.answer_table import as_table
from ingot.app.inventory.action_precedence import chosen
from ingot.app.inventory.datasets import landed_datasets
from ingot.app.read.reader import reader_of
from ingot.app.refine.ensure_sessions import ensure_sessions
from ingot.errors import QueryError
from ingot.model.currency import DOLLAR
from ingot.model.time import FOREVER, as_of
from ingot.quality.checks.source_schemas import Change, Verdict, changes
from ingot.quality.reconcile.align import Rows
from ingot.quality.reconcile.compare import (
    SESSION_SCHEMA,
    Compared,
    Context,
    Input,
    compare,
    of_file,
    shown,
)
from ingot.quality.reconcile.file_inputs import read
from ingot.quality.reconcile.findings import schema_findings
from ingot.quality.reconcile.inputs import Named, described, parse
from ingot.quality.reconcile.pairs import Tolerance
from ingot.quality.reconcile.refusals import narrowed
from ingot.quality.reconcile.report import report
from ingot.query.result.answer import Answer
from ingot.tables import silver
from ingot.tables.contract import Binding
from ingot.tables.view import HISTORY, Condition, View, literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.app.context.lake_context import Parts
    from ingot.app.read.reader import Reader
    from ingot.quality.reconcile.inputs import Side

_ONE_WEEK: Final = timedelta(days=7)
_DAY_TABLES: Final = {"bronze": "day_bars", "silver": "day_bars", "gold": "daily_bars"}


@dataclass(frozen=True)
class ReconcileRequest:
    """Which two sides to compare, and which of their rows."""

    a: str
    b: str
    start: date
    """First trade date."""
    end: date
    """The day after the last."""
    symbols: tuple[str, ...] = ()
    layer: str = ""
    """bronze, silver or gold: a side that names no table or file is then a table of it, or a source
    in its table of day bars."""
    known_at: str | date | datetime | None = None


@dataclass(frozen=True)
class Reconciled:
    """What came of it."""

    answer: Answer
    """The findings."""
    text: str
    """The same as a short report."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs but what is legal."""
        return bool(all(self.answer.to_arrow()["legal"].to_pylist()))


def reconcile(parts: Parts, request: ReconcileRequest) -> Reconciled:
    """Compare two sides and return every difference with its likely cause.

    Raises:
        QueryError: A side cannot be had, or the two cannot be compared.
        CorruptFileError: A file cannot be read.
    """
    reader = reader_of(parts)
    opened, request = _open(parts, reader, request)
    changed = [(side.named.text, change) for side in opened for change in side.changes]
    a, b = (side.given for side in opened)
    if any(change.what == "removed" for _, change in changed):  # a bar needs that column
        compared = Compared(schema_findings(changed), 0, 0, a.side.interval, a.side.basis)
    else:
        found = compare(reader.run, a, b, _context(parts, reader, request, opened))
        _refuse_empty(opened, found)
        rows = pa.concat_tables([schema_findings(changed), found.findings])
        compared = replace(found, findings=rows)
    moment = as_of(request.known_at, parts.clock).known_at
    answer = Answer(data=compared.findings, known_at=moment, notices=_notices(compared))
    return Reconciled(answer, report(compared, a=opened[0].named.text, b=opened[1].named.text))


def _refuse_empty(opened: Sequence[_Opened], found: Compared) -> None:
    """A side without a bar would be one where every bar of the other is missing.

    Raises:
        QueryError: One has neither a bar nor a row that cannot be read.
    """
    for side, bars in zip(opened, (found.bars_a, found.bars_b), strict=True):
        if not bars and not side.given.refused.num_rows:
            raise QueryError(
                f"{side.named.text} has no bars in the span. Choose other dates, symbols or "
                "another moment."
            )


@dataclass(frozen=True)
class _Opened:
    """One side, opened."""

    named: Named
    given: Input
    changes: tuple[Change, ...] = ()
    """Changes of a file's columns that are findings."""


def _open(
    parts: Parts, reader: Reader, request: ReconcileRequest
) -> tuple[list[_Opened], ReconcileRequest]:
    """Open both sides, files first: bars of weeks ask for whole weeks of the other side."""
    both = [parse(_in_layer(text, request.layer)) for text in (request.a, request.b)]
    limits = parts.settings.inflate_limits
    files = {n.text: read(n, described(n), limits) for n in both if n.reader}
    if any(file.side.interval == "1w" for file in files.values()):
        request = _in_whole_weeks(request)
    opened = []
    for named in both:
        if named.reader:
            file = files[named.text]
            given = of_file(named, file)
            view = given.view.narrowed(*_conditions(request, "trade_date", "symbol"))
            refused = narrowed(given.refused, request.start, request.end, request.symbols)
            narrow = replace(given, view=view, refused=refused)
            found = changes(file.registered, file.observed)
            opened.append(_Opened(named, narrow, tuple(c for c in found if not _is_absent(c))))
        else:
            given = _table(parts, reader, request, named, described(named))
            opened.append(_Opened(named, given))
    return opened, request


def _is_absent(change: Change) -> bool:
    """Return True for a column that rows may go without."""
    return change.what == "removed" and change.verdict is Verdict.FULL


def _in_whole_weeks(request: ReconcileRequest) -> ReconcileRequest:
    """Return the request from the Monday of its first week to the end of its last."""
    start, end = request.start, request.end
    if start > date(1900, 1, 7):
        start -= timedelta(days=start.weekday())
    return replace(request, start=start, end=end + timedelta(days=-end.weekday() % 7))


def _in_layer(text: str, layer: str) -> str:
    """Return a side that is named by its layer as a table: `yahoo` as silver.day_bars@yahoo."""
    if not layer or "." in text.partition("@")[0] or ":" in text.partition("?")[0]:
        return text
    if layer not in _DAY_TABLES:
        raise QueryError(f"layer was {layer!r}: write {', '.join(_DAY_TABLES)}.")
    head, mark, rest = text.partition("@")
    if head in {"minute_bars", "day_bars", "daily_bars"}:
        return f"{layer}.{head}{mark}{rest}"
    return f"{layer}.{_DAY_TABLES[layer]}@{text}"


def _conditions(request: ReconcileRequest, day: str, symbol: str) -> tuple[Condition, ...]:
    found = [Condition(day, ">=", request.start), Condition(day, "<", request.end)]
    if request.symbols:
        found.append(Condition(symbol, "in", request.symbols))
    return tuple(found)


def _table(
    parts: Parts, reader: Reader, request: ReconcileRequest, named: Named, side: Side
) -> Input:
    table = parts.table(named.table)
    bronze = table.binding is Binding.LANDING
    day, symbol = ("file_date", "ticker") if bronze else ("trade_date", "symbol")
    conditions = _conditions(request, day, symbol)
    if named.source:
        _refuse_unknown(parts, named)
        conditions += (Condition("source", "=", named.source),)
    datasets = (named.dataset,) if named.dataset else _refined(parts) if bronze else ()
    if datasets:
        conditions += (Condition("dataset", "in", datasets),)
    moment = named.known_at or request.known_at
    view = reader.view(named.table, moment, conditions)
    _refuse_several_sources(reader, named, view)
    extras = named.table == "gold.daily_bars"
    rows = Rows(named.table, view.columns, unique=not bronze, bronze=bronze, extras=extras)
    first = partial(_first_versions, reader, named.table, moment, conditions)
    return Input(side, rows, view, first=None if bronze else first)


def _refuse_unknown(parts: Parts, named: Named) -> None:
    """A source that nothing landed of would be a side where every bar is missing."""
    known = sorted({source for source, _ in parts.ledger.datasets()})
    if named.source not in known:
        raise QueryError(
            f"Nothing of {named.source} has landed in this lake. Sources are "
            f"{', '.join(known) or 'none yet'}."
        )


def _refined(parts: Parts) -> tuple[str, ...]:
    """Return the datasets that silver is made of: options stay in bronze."""
    return tuple(dataset.name for _, dataset in landed_datasets(parts) if dataset.silver)


def _refuse_several_sources(reader: Reader, named: Named, view: View) -> None:
    """A side is one source: two sources of a symbol's bar are no duplicate."""
    if named.source:
        return
    text = f"SELECT DISTINCT source FROM {named.table} ORDER BY source"
    found = reader.run(text, {named.table: view})
    sources = [str(source) for source in found["source"].to_pylist()]
    if len(sources) > 1:
        raise QueryError(
            f"{named.table} has bars of {', '.join(sources)} in the span: name one, as "
            f"{named.table}@{sources[0]}."
        )


def _first_versions(
    reader: Reader,
    name: str,
    moment: str | date | datetime | None,
    conditions: tuple[Condition, ...],
) -> View | None:
    """Return the bars of symbols and days that were corrected, as they were first known."""
    history = name + HISTORY
    view = reader.view(history, moment, conditions)
    key = "bar_start_ns" if "bar_start_ns" in view.columns else "trade_date"
    columns = ", ".join(c for c in view.columns if c != "known_to")
    text = (
        f"SELECT {columns} FROM (SELECT *, bool_or(known_to < {literal(FOREVER)}) OVER "
        f"(PARTITION BY symbol, trade_date) AS corrected FROM {history}) WHERE corrected "
        f"QUALIFY row_number() OVER (PARTITION BY symbol, {key} ORDER BY known_from) = 1"
    )
    corrected = f"SELECT count(*) AS rows FROM {history} WHERE known_to < {literal(FOREVER)}"
    if not reader.run(corrected, {history: view})["rows"][0].as_py():
        return None
    return shown(name, reader.run(text, {history: view}))


def _context(
    parts: Parts, reader: Reader, request: ReconcileRequest, opened: list[_Opened]
) -> Context:
    settings = parts.settings
    a, b = (side.given.side for side in opened)
    if not parts.calendar.sessions and a.is_intraday != b.is_intraday:
        ensure_sessions(parts)
    tick = Decimal(str(settings.reconcile_tick))
    tolerance = Tolerance(
        price_pct=Decimal(str(settings.reconcile_price_pct)),
        volume_pct=Decimal(str(settings.reconcile_volume_pct)),
        ticks=(tick, tick) if tick else (a.tick, b.tick),
    )
    return Context(
        sessions=_sessions(parts, request),
        actions=_actions(parts, reader, request, opened),
        tolerance=tolerance,
        earlier=_earlier(parts, request, opened),
    )


def _earlier(parts: Parts, request: ReconcileRequest, opened: list[_Opened]) -> str:
    """Return which side is the earlier moment of one table; empty where they are not that."""
    a, b = (side.named for side in opened)
    if a.reader or (a.table, a.source, a.dataset) != (b.table, b.source, b.dataset):
        return ""
    moments = [as_of(n.known_at or request.known_at, parts.clock).known_at for n in (a, b)]
    if moments[0] == moments[1]:
        raise QueryError(
            f"Both sides are {a.table} at one moment; name two, as {a.table}@known_at=2025-06-10."
        )
    return "a" if moments[0] < moments[1] else "b"


def _sessions(parts: Parts, request: ReconcileRequest) -> pa.Table:
    """Return the sessions around the span."""
    near = (
        (s.trade_date, s.session, s.start_ns, s.end_ns)
        for s in parts.calendar.sessions
        if request.start <= s.trade_date + _ONE_WEEK and s.trade_date < request.end + _ONE_WEEK
    )
    return as_table(SESSION_SCHEMA, near)


def _actions(
    parts: Parts, reader: Reader, request: ReconcileRequest, opened: list[_Opened]
) -> pa.Table:
    """Return the actions that count as known: symbol, ex-date, ratio (1 for cash), cash.

    Cash counts in the currency of the symbol's bars alone.
    """
    name = silver.CORPORATE_ACTIONS.name + HISTORY
    conditions: tuple[Condition, ...] = (Condition("ex_date", ">", request.start),)
    if request.symbols:
        conditions += (Condition("symbol", "in", request.symbols),)
    view = reader.view(name, request.known_at, conditions)
    versions = reader.run(f"SELECT {view.select_list} FROM {name}", {name: view})
    counting = shown("quality.versions", chosen(versions, parts.settings.action_sources))
    currencies = _currencies(reader, opened)
    moment = literal(as_of(request.known_at, parts.clock).known_at)
    text = (
        "SELECT symbol, ex_date, "
        "max(CAST(coalesce(ratio_to / nullif(ratio_from, 0), 1) AS DECIMAL(38,18))) AS ratio, "
        f"CAST(sum(CASE WHEN coalesce(a.currency, {literal(DOLLAR)}) = coalesce(c.currency, "
        f"{literal(DOLLAR)}) THEN coalesce(cash, 0) ELSE 0 END) AS DECIMAL(38,9)) AS cash "
        f"FROM {counting.name} AS a LEFT JOIN {currencies.name} AS c USING (symbol) "
        f"WHERE known_to > {moment} "
        "AND kind IN ('split', 'stock_dividend', 'cash_dividend') GROUP BY symbol, ex_date"
    )
    return reader.run(text, {counting.name: counting, currencies.name: currencies})


def _currencies(reader: Reader, opened: list[_Opened]) -> View:
    """Return the currency of each symbol whose bars name one: symbol, currency."""
    both = (side.given.view for side in opened)
    views = {view.name: view for view in both if "currency" in view.columns}
    named = (f"SELECT symbol, currency FROM {name}" for name in views)
    rows = " UNION ALL ".join(("SELECT '' AS symbol, '' AS currency", *named))
    text = f"SELECT symbol, max(currency) AS currency FROM ({rows}) GROUP BY symbol"
    return shown("quality.currencies", reader.run(text, views))


def _notices(compared: Compared) -> tuple[str, ...]:
    rows = compared.findings.select(["kind", "cause"]).to_pylist()
    counts = Counter(f"{row['kind']} {row['cause']}" for row in rows)
    listed = ", ".join(f"{n:,} {name}" for name, n in counts.most_common())
    both = f"{compared.bars_a:,} bars against {compared.bars_b:,} at {compared.interval}"
    return (f"{both}: {listed or 'no difference'}",)
