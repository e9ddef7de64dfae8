"""What the windows of one month of performance are made of: closes, holders, and what acts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ingot.app.context.answer_table import as_table
from ingot.app.inventory.action_precedence import versions_of
from ingot.app.refine.instrument_actions import Rules, most_paid
from ingot.app.refine.instrument_chains import NEAR, Price, groups, held_over_time, holder_rows
from ingot.model.currency import DOLLAR
from ingot.query.requests.adjustment import CASH
from ingot.query.requests.symbology import Holding
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables import gold, silver
from ingot.tables.arrow import relation_schema
from ingot.tables.contract import Date, String
from ingot.tables.contract import Decimal as DecimalType
from ingot.tables.input import ArrowRelation
from ingot.transforms.performance import ACTIONS, HOLDERS
from ingot.transforms.sql_literals import listed, literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    import pyarrow as pa

    from ingot.app.context.lake_context import Parts
    from ingot.app.refine.instrument_actions import Acting, Event
    from ingot.app.refine.instrument_chains import Group
    from ingot.app.refine.step import Feed
    from ingot.model.step_function import Steps, Version
    from ingot.model.unit import Scope
    from ingot.query.requests.adjustment import Action
    from ingot.query.requests.symbology import Held, Window
    from ingot.storage.iceberg.read.scan_planner import FilePlan
    from ingot.tables.contract import Table
    from ingot.tables.input import Relation

    Run = Callable[[str, Mapping[str, Relation]], pa.Table]
    Prices = dict[str, list[Version[Price]]]

_CLOSES: Final = "symbol, trade_date, close, known_from, known_to"
_CHANGING: Final = """WITH living AS (
  SELECT * FROM instruments WHERE valid_from < {end} AND valid_to > {start}
),
moving AS (
  SELECT DISTINCT l.symbol FROM living AS l
  JOIN (
    SELECT source, instrument_id FROM living WHERE valid_from > {start} OR valid_to < {end}
  ) AS e ON l.source = e.source AND l.instrument_id = e.instrument_id
),
kin AS (
  SELECT DISTINCT l.source, l.instrument_id
  FROM living AS l JOIN moving AS m ON l.symbol = m.symbol
)
SELECT r.source, r.instrument_id, r.symbol, r.valid_from, r.valid_to, r.known_from, r.known_to
FROM instruments AS r
JOIN kin AS k ON r.source = k.source AND r.instrument_id = k.instrument_id"""
"""Holdings of instruments that change hands or names between two dates, and of who shares those."""
_WINDOWS: Final = {"symbol": String, "first": Date, "last": Date}
_PAID: Final = {"symbol": String, "total": DecimalType(38, 9)}
_BARS: Final = {"day_bars": silver.DAY_BARS, "daily_bars": gold.DAILY_BARS}
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Windows:
    """Reads what a month's windows hold, of all symbols or of some."""

    parts: Parts
    feed: Feed
    scope: Scope
    """The rows that are made."""
    reads_from: date
    """First date that the windows reach."""
    run: Run

    def plan(self, table: Table, snapshot: int | None = None) -> FilePlan:
        """Return the files of a table that the windows read, in a snapshot of it."""
        if table in {silver.CORPORATE_ACTIONS, silver.INSTRUMENTS}:
            return self.parts.tables.plan(ScanRequest(table, snapshot_id=snapshot))
        return self.parts.tables.plan(
            ScanRequest(
                table,
                start=self.reads_from,
                end=self.scope.end,
                source=self.scope.source,
                dataset=self._dataset(table),
                snapshot_id=snapshot,
            )
        )

    @cached_property
    def groups(self) -> list[Group]:
        """Symbols that change hands or names within the windows."""
        start = literal(self.reads_from - NEAR)
        end = literal(self.scope.end + NEAR)
        text = _CHANGING.format(start=start, end=end)
        rows = self._tuples(
            text, {"instruments": self.plan(silver.INSTRUMENTS).verify().relation()}
        )
        held = ((Holding(*row[:-2]), row[-2], row[-1]) for row in rows)
        return groups(held, self.reads_from, self.scope.end)

    def related(self, symbols: Collection[str]) -> set[str]:
        """Return the symbols, and all in whose windows their closes may be."""
        own = set(symbols)
        return own.union(*(g.symbols for g in self.groups if not own.isdisjoint(g.symbols)))

    def is_one_session(self, first: date) -> bool:
        """Return True if the closes from a date on are of one session, by the files' bounds.

        Never for Spark, which repeats a common table at each use: this text reads its levels often,
        and on a basis its plan outgrows a heap of 1 GB.
        """
        if self.parts.settings.engine == "spark":
            return False
        files = (f for table in _BARS.values() for f in self.plan(table).files)
        days = {day for f in files if (f.last or first) >= first for day in (f.first, f.last)}
        return len(days) == 1 and None not in days

    def relations(
        self, symbols: Collection[str] | None, without: Collection[str] = ()
    ) -> dict[str, Relation]:
        """Return the relations of performance's text but the calendar.

        They hold these symbols, or all but those `without`, which include the symbols of each
        group of which one is.
        """
        own = [
            g
            for g in self.groups
            if g.symbols.isdisjoint(without)
            and (symbols is None or not g.symbols.isdisjoint(symbols))
        ]
        kept = _kept(symbols, without)
        bars = {name: self._closes(table, symbols, kept) for name, table in _BARS.items()}
        near = [w for g in own for w in g.windows(self.reads_from, self.scope.end)]
        prices = self._prices(bars, near)
        taken = [(g, self._held(g, prices)) for g in own]
        rows = [row for _, held in taken for row in holder_rows(held)]
        acting = self._acting(bars, kept, taken, prices)
        return {
            **bars,
            "holders": ArrowRelation(as_table(relation_schema(HOLDERS), rows)),
            "actions": ArrowRelation(
                as_table(relation_schema(ACTIONS), [(*a, b, c) for a, b, c in acting])
            ),
        }

    def _held(self, group: Group, prices: Prices) -> Steps[Held]:
        return held_over_time(
            group,
            [p for symbol in group.symbols for p in prices.get(symbol, ())],
            sessions=self.parts.calendar.trade_dates,
            sources=self.parts.settings.instrument_sources,
        )

    def _acting(
        self,
        bars: Mapping[str, Relation],
        kept: str,
        taken: Sequence[tuple[Group, Steps[Held]]],
        prices: Prices,
    ) -> list[Version[Acting]]:
        actions = self._actions(kept)
        paid = most_paid(actions)
        large = self._large(bars, paid, taken)
        before = self._prices(bars, self._before(large, taken))
        rules = Rules(
            self.parts.settings.action_sources,
            self.parts.calendar.trade_dates,
            large,
            self._currencies({a.symbol for a, _, _ in actions if a.kind == CASH}),
        )
        by_symbol: dict[str, list[Version[Action]]] = defaultdict(list)
        for version in actions:
            by_symbol[version[0].symbol].append(version)
        found: list[Version[Acting]] = []
        for group, held in taken:
            own = [v for symbol in group.symbols for v in by_symbol.pop(symbol, ())]
            near = [p for s in group.symbols for p in prices.get(s, ()) if group.contests(p, own)]
            near += [p for s in group.symbols for p in before.get(s, ()) if p not in near]
            found += rules.acting(own, held, near) if own else []
        for symbol, own in by_symbol.items():
            found += rules.alone(symbol, own, before.get(symbol, ()))
        return found

    def _currencies(self, symbols: Collection[str]) -> dict[str, str]:
        """Return the currency of the vendor's bars of those symbols that are not in dollars."""
        if not symbols:
            return {}
        source = self.scope.source
        where = (
            f"source = {literal(source)} AND dataset = {literal(self._dataset(silver.DAY_BARS))} "
            f"AND symbol IN ({listed(sorted(symbols))}) AND currency <> {literal(DOLLAR)}"
        )
        bars = self.plan(silver.DAY_BARS).relation(where=where)
        text = "SELECT symbol, MAX(currency) FROM bars GROUP BY symbol"
        return dict(self._tuples(text, {"bars": bars}))

    def _large(
        self,
        bars: Mapping[str, Relation],
        paid: Mapping[Event, Decimal],
        taken: Iterable[tuple[Group, object]],
    ) -> frozenset[Event]:
        """Return the events whose cash may be as much as a close within the windows."""
        most: dict[str, Decimal] = {}
        kin = {symbol: group.symbols for group, _ in taken for symbol in group.symbols}
        for (symbol, _), total in paid.items():
            for name in kin.get(symbol, (symbol,)):
                most[name] = max(total, most.get(name, total))
        if not most:
            return frozenset()
        given = ArrowRelation(as_table(relation_schema(_PAID), list(most.items())))
        text = " UNION ".join(
            f"SELECT b.symbol FROM {name} AS b JOIN paid AS p "
            "ON b.symbol = p.symbol AND b.close <= p.total"
            for name in bars
        )
        found = {symbol for (symbol,) in self._tuples(text, {**bars, "paid": given})}
        return frozenset(
            event for event in paid if not found.isdisjoint(kin.get(event[0], (event[0],)))
        )

    def _before(
        self, large: Iterable[Event], taken: Iterable[tuple[Group, object]]
    ) -> list[Window]:
        kin = {symbol: group.symbols for group, _ in taken for symbol in group.symbols}
        return [
            (name, self.reads_from, day)
            for symbol, day in large
            for name in kin.get(symbol, (symbol,))
        ]

    def _prices(self, bars: Mapping[str, Relation], windows: Collection[Window]) -> Prices:
        """Return the versions of the closes on these dates, by symbol."""
        found: Prices = defaultdict(list)
        if not windows:
            return found
        given = ArrowRelation(as_table(relation_schema(_WINDOWS), windows))
        columns = "b.symbol, b.trade_date, {} AS tier, b.close, b.known_from, b.known_to"
        text = " UNION ".join(
            f"SELECT {columns.format(tier)} FROM {name} AS b JOIN windows AS w "
            "ON b.symbol = w.symbol AND b.trade_date BETWEEN w.first AND w.last "
            "WHERE b.close IS NOT NULL"
            for tier, name in enumerate(bars)
        )
        for row in self._tuples(text, {**bars, "windows": given}):
            found[row[0]].append((Price(*row[:-2]), row[-2], row[-1]))
        return found

    def _closes(self, table: Table, symbols: Collection[str] | None, kept: str) -> Relation:
        source = self.scope.source
        where = f"source = {literal(source)} AND dataset = {literal(self._dataset(table))}{kept}"
        rows = self.plan(table).verify().relation(where=where)
        if symbols is None:
            return rows
        return ArrowRelation(self.run(f"SELECT source, {_CLOSES} FROM closes", {"closes": rows}))

    def _actions(self, kept: str) -> list[Version[Action]]:
        start, end = literal(self.reads_from), literal(self.scope.end)
        where = f"ex_date >= {start} AND ex_date < {end}{kept}"
        names = ", ".join(silver.CORPORATE_ACTIONS.column_names)
        relation = self.plan(silver.CORPORATE_ACTIONS).verify().relation()
        text = f"SELECT {names} FROM actions WHERE {where}"
        return versions_of(self.run(text, {"actions": relation}))

    def _tuples(self, text: str, inputs: Mapping[str, Relation]) -> list[tuple[Any, ...]]:
        rows = self.run(text, inputs)
        return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))

    def _dataset(self, table: Table) -> str:
        return self.feed.reads.get(table, "")


def _kept(symbols: Collection[str] | None, without: Collection[str]) -> str:
    """Return the condition that keeps these symbols, or all but those without."""
    if symbols is not None:
        return f" AND symbol IN ({listed(sorted(symbols))})" if symbols else " AND FALSE"
    return f" AND symbol NOT IN ({listed(sorted(without))})" if without else ""
