"""Closes as traded, by which dividends are measured, as known at a moment."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ingot.app.context.answer_table import as_table
from ingot.model.currency import DOLLAR
from ingot.query.requests.adjustment import Closes
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables import gold, silver
from ingot.tables.input import ArrowRelation, FileRelation
from ingot.tables.view import Condition, View

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from decimal import Decimal

    from ingot.app.context.lake_context import Parts
    from ingot.app.read.views import Views
    from ingot.engines.trusted_queries import Reads
    from ingot.model.time import AsOf
    from ingot.query.requests.symbology import Segment, Window
    from ingot.storage.iceberg.read.scan_planner import FilePlan
    from ingot.tables.contract import Table

_WINDOWS: Final[list[tuple[str, pa.DataType]]] = [
    ("symbol", pa.string()),
    ("first", pa.date32()),
    ("last", pa.date32()),
]
Series = tuple[list[date], list["Decimal"]]
"""Trade dates, ascending, and the close of each."""
_ONE_DAY: Final = timedelta(days=1)
_OLD_SESSIONS: Final = 5
"""A close that is further back than this is used for a dividend and named in a notice."""
_CLOSED: Final = ("source", "symbol", "trade_date", "close", "currency")


class Closings:
    """Reads closes of one lake: of the vendor's day bars, else of the bars made of minutes."""

    def __init__(self, parts: Parts, reads: Reads, views: Views) -> None:
        self._parts = parts
        self._reads = reads
        self._views = views
        self._currencies: dict[str, str] = {}

    def measured(self, moment: AsOf, cash: set[tuple[str, date]]) -> Closes:
        """Return the closes for dividends of these symbols and ex-dates, read at first use."""
        return _Measured(self, moment, cash).closes()

    def bars(
        self, table: Table, symbols: Collection[str], start: date, end: date, moment: AsOf
    ) -> list[dict[str, Any]]:
        """Return source, symbol, trade date, close and currency of the bars known at a moment."""
        conditions = (
            Condition("trade_date", ">=", start),
            Condition("trade_date", "<", end),
            Condition("symbol", "in", tuple(sorted(symbols))),
        )
        view = self._views.view(table.name, moment, conditions)
        return self._closed(view)

    def traded(self, windows: Collection[Window], moment: AsOf) -> list[tuple[str, date]]:
        """Return each symbol and trade date within the windows that has a bar, ascending."""
        conditions = (
            Condition("trade_date", ">=", min(first for _, first, _ in windows)),
            Condition("trade_date", "<", max(last for _, _, last in windows) + _ONE_DAY),
            Condition("symbol", "in", tuple(sorted({symbol for symbol, _, _ in windows}))),
        )
        rows = ArrowRelation(as_table(pa.schema(_WINDOWS), windows))
        views = {"windows": View("windows", rows, tuple(rows.data.column_names))}
        texts = []
        for table in (silver.DAY_BARS, gold.DAILY_BARS):
            views[table.name] = self._views.view(table.name, moment, conditions)
            texts.append(
                f"SELECT b.symbol, b.trade_date FROM {table.name} AS b JOIN windows AS w "
                "ON b.symbol = w.symbol AND b.trade_date BETWEEN w.first AND w.last "
                "WHERE b.close IS NOT NULL"
            )
        found = self._reads.run(f"{' UNION '.join(texts)} ORDER BY ALL", views)
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def rows(
        self, symbols: Collection[str], days: Collection[date], moment: AsOf
    ) -> Mapping[tuple[str, date], Decimal]:
        """Return closes as traded by (symbol, trade date): the vendor's, else made of minutes."""
        found: dict[tuple[str, date], Decimal] = {}
        for table in (gold.DAILY_BARS, silver.DAY_BARS):
            view = self._views.view(table.name, moment, (Condition("trade_date", "=", min(days)),))
            view = _over(view, self._parts.tables.plan, table, sorted(days))
            view = view.narrowed(Condition("symbol", "in", tuple(sorted(symbols))))
            for row in sorted(self._closed(view), key=self._preferred, reverse=True):
                found[row["symbol"], row["trade_date"]] = row["close"]
        return found

    def currency(self, symbol: str) -> str:
        """Return the currency of the bars read of a symbol, which keeps it."""
        return self._currencies.get(symbol, DOLLAR)

    def _closed(self, view: View) -> list[dict[str, Any]]:
        named = tuple(c for c in _CLOSED if c in view.columns)
        rows = self._reads.rows(view, named, ("symbol", "trade_date")).to_pylist()
        self._currencies |= {r["symbol"]: r["currency"] for r in rows if r.get("currency")}
        return [row for row in rows if row["close"] is not None]

    def series(self, symbols: Collection[str], before: date, moment: AsOf) -> Mapping[str, Series]:
        """Return all closes of these symbols before a date, ascending; one a date, as in `rows`."""
        found: dict[tuple[str, date], Decimal] = {}
        for table in (gold.DAILY_BARS, silver.DAY_BARS):
            rows = self.bars(table, symbols, date.min, before, moment)
            for row in sorted(rows, key=self._preferred, reverse=True):
                found[row["symbol"], row["trade_date"]] = row["close"]
        series: dict[str, Series] = {}
        for symbol, day in sorted(found):
            days, closes = series.setdefault(symbol, ([], []))
            days.append(day)
            closes.append(found[symbol, day])
        return series

    def first_bar(self) -> date:
        """Return a date before which no table has a bar; the end of time without any."""
        plans = (
            self._parts.tables.plan(ScanRequest(t)) for t in (silver.DAY_BARS, gold.DAILY_BARS)
        )
        return min((f.first or date.min for p in plans for f in p.files), default=date.max)

    def _preferred(self, row: Mapping[str, Any]) -> tuple[int, str]:
        sources = self._parts.settings.sources_on(row["trade_date"])
        source = row["source"]
        return (sources.index(source) if source in sources else len(sources), source)

    def previous_session(self, day: date) -> date | None:
        """Return the trade date before a date."""
        before = self._parts.calendar.before(day, 1)
        return before[0] if before else None

    def sessions_between(self, start: date, end: date) -> int:
        """Return how many trade dates there are in `[start, end)`."""
        return len(self._parts.calendar.between(start, end))


class _Measured:
    """Closes for dividends, read when the first is asked for."""

    def __init__(self, closings: Closings, moment: AsOf, cash: set[tuple[str, date]]) -> None:
        self._closings = closings
        self._moment = moment
        self._cash = cash
        self._found: Mapping[tuple[str, date], Decimal] | None = None

    def closes(self) -> Closes:
        return Closes(self._before, self._on, self._currency, self._old)

    def _rows(self) -> Mapping[tuple[str, date], Decimal]:
        if self._found is None:
            days = {d for _, ex in self._cash for d in (self._previous(ex), ex) if d is not None}
            symbols = {symbol for symbol, _ in self._cash}
            rows = self._closings.rows
            self._found = rows(symbols, days, self._moment) if days else {}
        return self._found

    def _previous(self, day: date) -> date | None:
        return self._closings.previous_session(day)

    def _before(self, segments: Sequence[Segment], day: date) -> Decimal | None:
        previous = self._previous(day)
        if previous is not None and (close := self._at(segments, previous)) is not None:
            return close
        found = self._last(segments, day)
        return found[1] if found else None

    def _old(self, segments: Sequence[Segment], day: date) -> date | None:
        previous = self._previous(day)
        if previous is not None and self._at(segments, previous) is not None:
            return None
        found = self._last(segments, day)
        sessions = self._closings.sessions_between(found[0], day) if found else 0
        return found[0] if found and sessions > _OLD_SESSIONS else None

    def _last(self, segments: Sequence[Segment], day: date) -> tuple[date, Decimal] | None:
        """Return the last session with a bar before a date, however long ago, and its close."""
        for segment in reversed(segments):
            days, closes = self._series.get(segment.symbol, ([], []))
            index = bisect_left(days, min(segment.end, day)) - 1
            if index >= 0 and days[index] >= segment.start:
                return days[index], closes[index]
        return None

    @cached_property
    def _series(self) -> Mapping[str, Series]:
        """Return the closes of the symbols that had no bar on a session before an ex-date."""
        first = self._closings.first_bar()
        rows = self._rows()
        missing = {
            (symbol, day)
            for symbol, day in self._cash
            if day > first and (symbol, self._previous(day)) not in rows
        }
        if not missing:
            return {}
        symbols, days = {s for s, _ in missing}, {d for _, d in missing}
        return self._closings.series(symbols, max(days), self._moment)

    def _currency(self, segments: Sequence[Segment], day: date) -> str:
        self._before(segments, day)  # reads the bars that name it
        held = [s.symbol for s in segments if s.start < day]
        return self._closings.currency(held[-1] if held else "")

    def _on(self, segments: Sequence[Segment], day: date) -> Decimal | None:
        return self._at(segments, day)

    def _at(self, segments: Sequence[Segment], day: date) -> Decimal | None:
        held = (s.symbol for s in segments if s.start <= day < s.end)
        found = (self._rows().get((symbol, day)) for symbol in held)
        return next((close for close in found if close is not None), None)


def _over(
    view: View, plan: Callable[[ScanRequest], FilePlan], table: Table, days: Sequence[date]
) -> View:
    """Return a bound view of one day over the files of all these days, and no others."""
    paths: dict[str, None] = {}
    relation = FileRelation((), {})
    for day in days:
        relation = plan(ScanRequest(table, day, day + _ONE_DAY)).relation()
        paths |= dict.fromkeys(relation.paths)
    conditions = tuple(c for c in view.conditions if c.column != "trade_date")
    relation = replace(relation, paths=tuple(paths))
    narrowed = View(view.name, relation, view.columns, conditions, view.cut)
    return narrowed.narrowed(Condition("trade_date", "in", tuple(days)))
