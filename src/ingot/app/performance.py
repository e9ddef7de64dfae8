"""One month of gold.performance: of every symbol, or only of those whose windows changed.

The done record of a month names the snapshots that it read. Where the transforms are the same and
those snapshots are still there, the files that differ since tell which symbols changed and from
which date on; the month's other rows are copied. The result is the same either way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.chosen import chosen
from ingot.errors import QueryError
from ingot.tables import gold, silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.relation import ArrowRelation, FileRelation
from ingot.transforms.literal import listed, literal
from ingot.transforms.performance import performance_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from ingot.app.markets import Market
    from ingot.app.parts import Parts
    from ingot.app.plan import GoldWork
    from ingot.model.work import Done, Scope
    from ingot.storage.reader import FilePlan
    from ingot.tables.contract import Table
    from ingot.tables.relation import Relation

    Run = Callable[[str, Mapping[str, Relation]], pa.Table]

_RULES: Final = "rules"
_MOST_SYMBOLS: Final = 2_000
"""With more symbols than this changed, all are made again."""
_CLOSES: Final = "symbol, trade_date, close, known_from, known_to"
_ACTIONS: Final = (
    "symbol, ex_date, source, action_id, kind, ratio_from, ratio_to, cash, currency, "
    "known_from, known_to"
)


@dataclass(frozen=True, slots=True)
class Changed:
    """What differs from the month as it was made last: these symbols, from a date on."""

    symbols: tuple[str, ...]
    first: date


@dataclass(frozen=True)
class Month:
    """What a month is made of."""

    parts: Parts
    work: GoldWork
    market: Market
    bases: Sequence[str]
    rules: str
    """Names the transforms and the precedence of sources."""
    run: Run

    @property
    def scope(self) -> Scope:
        """The rows that the month replaces."""
        return self.work.unit.scope

    def details(self) -> dict[str, str]:
        """Return what the done record says of what was read."""
        heads = {t.name: str(self.parts.tables.head(t)) for t in _READ}
        return {_RULES: self.rules, **heads}

    def rows(self, calendar: ArrowRelation, previous: Done | None) -> pa.Table:
        """Return the month's rows, in the order of the table."""
        changed = self._changed(previous) if previous else None
        made = self._made(calendar, changed)
        if changed is None:
            return made[0] if len(made) == 1 else self._sorted(made)
        return self._sorted([*made, self._kept(changed)])

    def _made(self, calendar: ArrowRelation, changed: Changed | None) -> list[pa.Table]:
        symbols = changed.symbols if changed else None
        if symbols == ():
            return []
        scope = self.scope if changed is None else replace(self.scope, start=changed.first)
        inputs = {
            "day_bars": self._closes(silver.DAY_BARS, symbols),
            "daily_bars": self._closes(gold.DAILY_BARS, symbols),
            "actions": self._actions(symbols),
            "calendar": calendar,
        }
        rate = self.parts.settings.risk_free_rate
        texts = (performance_sql(scope, basis=b, risk_free_rate=rate) for b in self.bases)
        schema = arrow_schema(gold.PERFORMANCE)
        return [self.run(text, inputs).cast(schema) for text in texts]

    def _sorted(self, pieces: Sequence[pa.Table]) -> pa.Table:
        order = ", ".join(gold.PERFORMANCE.sort)
        rows = pa.concat_tables([arrow_schema(gold.PERFORMANCE).empty_table(), *pieces])
        columns = ", ".join(gold.PERFORMANCE.column_names)
        text = f"SELECT {columns} FROM pieces ORDER BY {order}"
        return self.run(text, {"pieces": ArrowRelation(rows)})

    def _kept(self, changed: Changed) -> pa.Table:
        """Return the rows of the month as it is that do not change."""
        scope = self.scope
        plan = self.parts.tables.plan(
            gold.PERFORMANCE,
            start=scope.start,
            end=scope.end,
            source=scope.source,
            dataset=scope.dataset,
        )
        inside = (
            f"source = {literal(scope.source)} AND dataset = {literal(scope.dataset)} "
            f"AND trade_date >= {literal(scope.start)} AND trade_date < {literal(scope.end)}"
        )
        again = f"trade_date >= {literal(changed.first)} AND symbol IN (SELECT symbol FROM again)"
        columns = ", ".join(gold.PERFORMANCE.column_names)
        rows = self.run(
            f"SELECT {columns} FROM old WHERE {inside} AND NOT ({again})",
            {
                "old": plan.verify().relation(),
                "again": ArrowRelation(
                    pa.table({"symbol": pa.array(changed.symbols, pa.string())})
                ),
            },
        )
        return rows.cast(arrow_schema(gold.PERFORMANCE))

    def _closes(self, table: Table, symbols: Sequence[str] | None) -> Relation:
        scope = self.scope
        dataset = _dataset(self.market, table)
        plan = self._plan(table, None).verify()
        where = f"source = {literal(scope.source)} AND dataset = {literal(dataset)}"
        if symbols is None:
            return plan.relation(where=where)
        few = plan.relation(where=f"{where} AND symbol IN ({listed(symbols)})")
        return ArrowRelation(self.run(f"SELECT source, {_CLOSES} FROM closes", {"closes": few}))

    def _actions(self, symbols: Sequence[str] | None) -> ArrowRelation:
        relation = self.parts.tables.plan(silver.CORPORATE_ACTIONS).verify().relation()
        where = "" if symbols is None else f" WHERE symbol IN ({listed(symbols)})"
        names = ", ".join(silver.CORPORATE_ACTIONS.column_names)
        rows = self.run(f"SELECT {names} FROM actions{where}", {"actions": relation})
        return ArrowRelation(chosen(rows, self.parts.settings.action_sources))

    def _plan(self, table: Table, snapshot: int | None) -> FilePlan:
        scope = self.scope
        if table is silver.CORPORATE_ACTIONS:
            return self.parts.tables.plan(table, snapshot_id=snapshot)
        return self.parts.tables.plan(
            table,
            start=self.work.reads_from,
            end=scope.end,
            source=scope.source,
            dataset=_dataset(self.market, table),
            snapshot_id=snapshot,
        )

    def _changed(self, previous: Done) -> Changed | None:
        """Return what differs since the month was made; None where that cannot be told cheaply."""
        if previous.details.get(_RULES) != self.rules:
            return None
        symbols: dict[str, date] = {}
        for table in _READ:
            found = self._differing(table, previous.details.get(table.name, ""))
            if found is None or len(found) > _MOST_SYMBOLS:
                return None
            for symbol, day in found.items():
                symbols[symbol] = min(day, symbols.get(symbol, day))
        if len(symbols) > _MOST_SYMBOLS:
            return None
        first = max(min(symbols.values(), default=self.scope.end), self.scope.start)
        return Changed(tuple(sorted(symbols)), first)

    def _differing(self, table: Table, head: str) -> dict[str, date] | None:
        """Return each symbol whose rows differ from those of a past head, with the first date."""
        now = {f.path for f in self._plan(table, None).files}
        if not head.removeprefix("-").isdigit():
            return {} if not now else None
        try:
            then = {f.path for f in self._plan(table, int(head)).files}
        except QueryError:
            return None  # expired since
        columns = self._plan(table, None).relation().columns
        left = FileRelation(tuple(sorted(then - now)), columns)
        right = FileRelation(tuple(sorted(now - then)), columns)
        if not left.paths and not right.paths:
            return {}
        is_action = table is silver.CORPORATE_ACTIONS
        names, day = (_ACTIONS, "ex_date") if is_action else (_CLOSES, "trade_date")
        text = (
            f"SELECT symbol, MIN({day}) AS day FROM ("
            f"(SELECT {names} FROM before EXCEPT SELECT {names} FROM after) UNION ALL "
            f"(SELECT {names} FROM after EXCEPT SELECT {names} FROM before)) AS differing "
            "GROUP BY symbol"
        )
        rows = self.run(text, {"before": left, "after": right}).to_pylist()
        return {row["symbol"]: row["day"] for row in rows if row["day"] < self.scope.end}


_READ: Final = (silver.DAY_BARS, gold.DAILY_BARS, silver.CORPORATE_ACTIONS)


def _dataset(market: Market, table: Table) -> str:
    dataset = market.days if table is silver.DAY_BARS else market.minutes
    return dataset.name if dataset else ""
