"""One month of gold.performance: of every symbol, or only of those whose windows changed.

The done record of a month names the snapshots that it read. Where the transforms are the same and
those snapshots still exist, the files that differ since show which symbols changed and from which
date on; the month's other rows are copied. The result is the same either way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.inventory.action_precedence import ACTIONS_BY_MONTH, HOLDERS_BY_MONTH
from ingot.app.inventory.units import ONE_DAY, digest
from ingot.app.refine.instrument_chains import NEAR
from ingot.app.refine.performance_inputs import Windows
from ingot.app.refine.planner import latest_of_feed, months
from ingot.app.refine.step import UnitRows, Work
from ingot.errors import QueryError
from ingot.model.unit import Scope, Unit
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables import gold, silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.input import ArrowRelation
from ingot.transforms.performance import (
    BASES,
    LOOKBACK_SESSIONS,
    performance_sql,
    performance_transform,
)
from ingot.transforms.sql_literals import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from ingot.app.context.lake_context import Parts
    from ingot.app.refine.step import Context, Feed, Step
    from ingot.config import Settings
    from ingot.model.calendar import Calendar
    from ingot.model.unit import Done
    from ingot.tables.contract import Table
    from ingot.tables.input import Relation

_AROUND_A_RENAME: Final = 10
"""Sessions before a window whose bars may tell when a rename inside it was."""
_RULES: Final = "rules"
_FEW: Final = 2_000
"""As many changed symbols are made each from its own date on; with more, all from one date on."""
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
class Piece:
    """Rows of a month that are made together: of these symbols, from a date on."""

    first: date
    symbols: tuple[str, ...] | None = None
    """None for all but those in `without`."""
    without: tuple[str, ...] = ()


def units(parts: Parts, step: Step, feed: Feed, start: date, end: date) -> Iterator[Work]:
    """Yield each month from `start` on of which the windows may reach a change before `end`.

    The digest names the transforms with their parameters, the precedence of actions, and the
    latest units in the windows.
    """
    latest = latest_of_feed(parts, feed)
    acting, holding = ACTIONS_BY_MONTH.recorded(parts), HOLDERS_BY_MONTH.recorded(parts)
    rules = _Rules.of(parts.settings, BASES if acting else BASES[:1])
    reach = _reach(parts.calendar, end)
    for first, following in months(day for _, day in latest if day >= start):
        if first >= reach:
            return
        earlier = parts.calendar.before(first, LOOKBACK_SESSIONS + _AROUND_A_RENAME)
        reads_from = earlier[0] if earlier else first
        read = [(k, latest[k]) for k in sorted(latest) if reads_from <= k[1] < following]
        actions = [(m, acting[m]) for m in sorted(acting) if _touches(m, reads_from, following)]
        near = (reads_from - NEAR, following + NEAR)
        holders = [(m, holding[m]) for m in sorted(holding) if _touches(m, *near)]
        unit = Unit(
            step.output.name,
            Scope(feed.source, feed.dataset, first, following),
            digest(
                rules.digest, read, *([actions] if actions else []), *([holders] if holders else [])
            ),
        )
        yield Work(unit, partial(_rows, feed, unit.scope, reads_from, rules))


@dataclass(frozen=True, slots=True)
class _Rules:
    bases: Sequence[str]
    digest: str
    """Names the transforms and the precedence of sources."""

    @classmethod
    def of(cls, settings: Settings, bases: Sequence[str]) -> _Rules:
        rate = settings.risk_free_rate
        made = (performance_transform(basis=basis, risk_free_rate=rate).digest for basis in bases)
        return cls(bases, digest(*made, *settings.action_sources, *settings.instrument_sources))


def _touches(month: str, start: date, end: date) -> bool:
    """Return True if a month has a date in `[start, end)`."""
    return f"{start:%Y-%m}" <= month <= f"{end - ONE_DAY:%Y-%m}"


def _reach(calendar: Calendar, end: date) -> date:
    """Return the first date whose windows no longer reach a change before `end`."""
    later = calendar.between(end, end + 2 * 366 * ONE_DAY)
    return later[LOOKBACK_SESSIONS] if len(later) > LOOKBACK_SESSIONS else end + 2 * 366 * ONE_DAY


def _rows(feed: Feed, scope: Scope, reads_from: date, rules: _Rules, context: Context) -> UnitRows:
    parts = context.parts
    month = _Month(Windows(parts, feed, scope, reads_from, context.run), rules)
    details = month.details()
    previous = parts.ledger.last_done(gold.PERFORMANCE.name, scope)
    days = parts.calendar.between(reads_from, scope.end)
    calendar = {
        "trade_date": pa.array(days, pa.date32()),
        "session_index": pa.array(range(len(days)), pa.int32()),
    }
    return UnitRows(rows=month.rows(ArrowRelation(pa.table(calendar)), previous), details=details)


@dataclass(frozen=True)
class _Month:
    """What a month is made of."""

    windows: Windows
    rules: _Rules

    def details(self) -> dict[str, str]:
        """Return what the done record says of what was read."""
        heads = {t.name: str(self.windows.parts.tables.head(t)) for t in _READ}
        return {_RULES: self.rules.digest, **heads}

    def rows(self, calendar: ArrowRelation, previous: Done | None) -> pa.Table:
        """Return the month's rows, in the order of the table."""
        changed = self._changed(previous) if previous else None
        pieces = [Piece(self.windows.scope.start)] if changed is None else changed
        made = [rows for piece in pieces for rows in self._made(calendar, piece)]
        if changed is None:
            return made[0] if len(made) == 1 else self._sorted(made)
        return self._sorted([*made, self._kept(changed)])

    def _made(self, calendar: ArrowRelation, piece: Piece) -> Iterator[pa.Table]:
        """Yield the rows of a piece, basis by basis."""
        windows = self.windows
        inputs = {**windows.relations(piece.symbols, piece.without), "calendar": calendar}
        for basis in self.rules.bases:
            text = performance_sql(
                replace(windows.scope, start=piece.first),
                basis=basis,
                risk_free_rate=windows.parts.settings.risk_free_rate,
                one_session=windows.is_one_session(piece.first),
            )
            yield windows.run(text, inputs).cast(arrow_schema(gold.PERFORMANCE))

    def _sorted(self, pieces: Sequence[pa.Table]) -> pa.Table:
        order = ", ".join(gold.PERFORMANCE.sort)
        rows = pa.concat_tables([arrow_schema(gold.PERFORMANCE).empty_table(), *pieces])
        columns = ", ".join(gold.PERFORMANCE.column_names)
        text = f"SELECT {columns} FROM pieces ORDER BY {order}"
        return self.windows.run(text, {"pieces": ArrowRelation(rows)})

    def _kept(self, pieces: Sequence[Piece]) -> pa.Table:
        """Return the rows of the month as it is that are in none of the pieces."""
        scope = self.windows.scope
        plan = self.windows.parts.tables.plan(
            ScanRequest(
                gold.PERFORMANCE,
                start=scope.start,
                end=scope.end,
                source=scope.source,
                dataset=scope.dataset,
            )
        )
        inputs: dict[str, Relation] = {"old": plan.verify().relation()}
        kept = [
            f"source = {literal(scope.source)} AND dataset = {literal(scope.dataset)}",
            f"trade_date >= {literal(scope.start)} AND trade_date < {literal(scope.end)}",
        ]
        for number, piece in enumerate(pieces):
            named = piece.without if piece.symbols is None else piece.symbols
            inputs[f"named_{number}"] = ArrowRelation(
                pa.table({"symbol": pa.array(named, pa.string())})
            )
            others = "IN" if piece.symbols is None else "NOT IN"
            kept.append(
                f"(trade_date < {literal(piece.first)} "
                f"OR symbol {others} (SELECT symbol FROM named_{number}))"
            )
        columns = ", ".join(gold.PERFORMANCE.column_names)
        rows = self.windows.run(f"SELECT {columns} FROM old WHERE {' AND '.join(kept)}", inputs)
        return rows.cast(arrow_schema(gold.PERFORMANCE))

    def _changed(self, previous: Done) -> list[Piece] | None:
        """Return what differs since the month was made; None if that needs an expired snapshot."""
        if previous.details.get(_RULES) != self.rules.digest:
            return None
        days: dict[str, date] = {}
        for table in _READ:
            found = self._differing(table, previous.details.get(table.name, ""))
            if found is None:
                return None
            for symbol, day in found.items():
                days[symbol] = min(day, days.get(symbol, day))
        return self._pieces(days)

    def _pieces(self, days: Mapping[str, date]) -> list[Piece]:
        """Return what to make where each of these symbols changed from its date on.

        A new day changes all symbols from one date on. Those that change hands or names stay
        apart: a bar or a date of a rename can move the rename to before it.
        """
        start = self.windows.scope.start
        grouped = {s for group in self.windows.groups for s in group.symbols}
        alone = sorted(day for symbol, day in days.items() if symbol not in grouped)
        since = max(alone[_FEW], start) if len(alone) > _FEW else self.windows.scope.end
        few = {s: day for s, day in days.items() if s in grouped or day < since}
        related = self.windows.related(few)
        pieces = []
        if few:
            first = max(min(few.values()) - NEAR, start)
            pieces.append(Piece(first, tuple(sorted(related))))
        if len(alone) > _FEW:
            pieces.append(Piece(since, without=tuple(sorted(grouped | related))))
        return pieces

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
        files = plan(table).relation()
        left = replace(files, paths=tuple(sorted(then - now)))
        right = replace(files, paths=tuple(sorted(now - then)))
        if not left.paths and not right.paths:
            return {}
        day, names = _READ[table]
        text = (
            f"SELECT symbol, MIN({day}) AS day FROM ("
            f"(SELECT {names} FROM before EXCEPT SELECT {names} FROM after) UNION ALL "
            f"(SELECT {names} FROM after EXCEPT SELECT {names} FROM before)) AS differing "
            "GROUP BY symbol"
        )
        rows = self.windows.run(text, {"before": left, "after": right}).to_pylist()
        return {row["symbol"]: row["day"] for row in rows if row["day"] < self.windows.scope.end}
