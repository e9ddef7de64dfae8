"""One month of gold.performance: of every symbol, or only of those whose windows changed.

The done record of a month names the snapshots that it read. Where the transforms are the same and
those snapshots are still there, the files that differ since tell which symbols changed and from
which date on; the month's other rows are copied. The result is the same either way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.chains import NEAR
from ingot.errors import QueryError
from ingot.tables import gold, silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.relation import ArrowRelation, FileRelation
from ingot.transforms.literal import literal
from ingot.transforms.performance import performance_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from ingot.app.parts import Parts
    from ingot.app.windows import Run, Windows
    from ingot.model.work import Done, Scope
    from ingot.tables.contract import Table

_RULES: Final = "rules"
_MOST_SYMBOLS: Final = 2_000
"""With more symbols than this changed, all are made again."""
_CLOSES: Final = ("trade_date", "symbol, trade_date, close, known_from, known_to")
_READ: Final = {
    silver.DAY_BARS: _CLOSES,
    gold.DAILY_BARS: _CLOSES,
    silver.CORPORATE_ACTIONS: (
        "ex_date",
        ", ".join(n for n in silver.CORPORATE_ACTIONS.column_names if n != "dataset"),
    ),
    silver.INSTRUMENTS: (
        "valid_from",
        "source, instrument_id, symbol, valid_from, valid_to, known_from, known_to",
    ),
}
"""The date by which a difference counts, and the columns that are compared."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What differs from the month as it was made last: these symbols, from a date on."""

    symbols: tuple[str, ...]
    first: date


@dataclass(frozen=True)
class Month:
    """What a month is made of."""

    windows: Windows
    bases: Sequence[str]
    rules: str
    """Names the transforms and the precedence of sources."""

    @property
    def parts(self) -> Parts:
        """The lake."""
        return self.windows.parts

    @property
    def run(self) -> Run:
        """Runs a text."""
        return self.windows.run

    @property
    def scope(self) -> Scope:
        """The rows that the month replaces."""
        return self.windows.work.unit.scope

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
        inputs = {**self.windows.relations(symbols), "calendar": calendar}
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
        # A bar or a date of a rename can move the rename to before it.
        first = max(min(symbols.values(), default=self.scope.end) - NEAR, self.scope.start)
        return Changed(tuple(sorted(self.windows.related(symbols))), first)

    def _differing(self, table: Table, head: str) -> dict[str, date] | None:
        """Return each symbol whose rows differ from those of a past head, with the first date."""
        plan = self.windows.plan
        now = {f.path for f in plan(table).files}
        if not head.removeprefix("-").isdigit():
            return {} if not now else None
        try:
            then = {f.path for f in plan(table, int(head)).files}
        except QueryError:
            return None  # expired since
        columns = plan(table).relation().columns
        left = FileRelation(tuple(sorted(then - now)), columns)
        right = FileRelation(tuple(sorted(now - then)), columns)
        if not left.paths and not right.paths:
            return {}
        day, names = _READ[table]
        text = (
            f"SELECT symbol, MIN({day}) AS day FROM ("
            f"(SELECT {names} FROM before EXCEPT SELECT {names} FROM after) UNION ALL "
            f"(SELECT {names} FROM after EXCEPT SELECT {names} FROM before)) AS differing "
            "GROUP BY symbol"
        )
        rows = self.run(text, {"before": left, "after": right}).to_pylist()
        return {row["symbol"]: row["day"] for row in rows if row["day"] < self.scope.end}
