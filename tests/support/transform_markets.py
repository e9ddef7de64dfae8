"""Small markets as rows of bronze, and their history by a second, plain formula.

The formula holds whole states as dictionaries and walks them one by one, in exact decimals; it
shares nothing with the SQL but the definitions (SEMANTICS 1 and 4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ingot.model.time import FOREVER, new_york, to_ns
from ingot.model.unit import Scope
from ingot.tables import bronze, silver
from ingot.tables.arrow import arrow_schema, relation_schema
from ingot.tables.input import ArrowRelation, Relation
from ingot.transforms.performance import ACTIONS, HOLDERS
from ingot.transforms.version_history import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ingot.engines.transform.base import Engine
    from ingot.tables.contract import Table

MONDAY = date(2025, 6, 2)
MINUTES = Scope("massive", "us_stocks_sip/minute_aggs_v1", MONDAY, MONDAY + timedelta(days=1))
DAYS = Scope("massive", "us_stocks_sip/day_aggs_v1", MONDAY, MONDAY + timedelta(days=1))
QUARTER_NS = 15 * 60 * 10**9
SIX_DIGITS = Decimal("0.000001")


def at(clock: str, day: date = MONDAY) -> int:
    """Return when New York clocks show `clock` (HH:MM) on `day`, in nanoseconds."""
    hour, minute = clock.split(":")
    return to_ns(new_york(day, int(hour), int(minute)))


def known(day: int) -> datetime:
    """Return 15:00 UTC of that day of June 2025."""
    return datetime(2025, 6, day, 15, tzinfo=UTC)


@dataclass(frozen=True)
class Bar:
    """One line of one landing."""

    symbol: str
    start_ns: int
    close: Decimal
    landing: int = 1
    row: int = 1
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: Decimal = Decimal(100)
    transactions: int = 1
    filed: date = MONDAY

    @property
    def prices(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Open, high, low and close; those not given are the close."""
        c = self.close
        return (
            c if self.open is None else self.open,
            c if self.high is None else self.high,
            c if self.low is None else self.low,
            c,
        )


def bar(symbol: str, clock: str, close: str | int | Decimal, **rest: Any) -> Bar:
    """Return a bar at New York's `clock`; numbers may be given as text."""
    numbers: dict[str, Any] = {k: Decimal(v) if k in _DECIMALS else v for k, v in rest.items()}
    day = numbers.pop("day", MONDAY)
    return Bar(symbol, at(clock, day), Decimal(close), **numbers)


_DECIMALS = {"open", "high", "low", "volume"}


def numbered(bars: Iterable[Bar]) -> list[Bar]:
    """Return the bars with row numbers of their own landing, from 1."""
    count: dict[int, int] = {}
    lines = []
    for b in bars:
        count[b.landing] = count.get(b.landing, 0) + 1
        lines.append(replace(b, row=count[b.landing]))
    return lines


def bronze_rows(bars: Sequence[Bar], table: Table = bronze.MINUTE_BARS) -> ArrowRelation:
    """Return the bars as rows of bronze."""
    dataset = MINUTES.dataset if table is bronze.MINUTE_BARS else DAYS.dataset
    rows = []
    for b in bars:
        o, h, low, c = b.prices
        lineage = ("massive", dataset, b.filed, b.landing, b.row)
        rows.append((*lineage, b.symbol, b.volume, o, c, h, low, b.start_ns, b.transactions))
    return ArrowRelation(of_rows(arrow_schema(table), rows))


def of_rows(schema: pa.Schema, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return rows as an Arrow table of that schema."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def closes_schema() -> pa.Schema:
    """Return the columns of silver.day_bars and gold.daily_bars that performance reads."""
    names = ("source", "dataset", "symbol", "trade_date", "close", "known_from", "known_to")
    whole = arrow_schema(silver.DAY_BARS)
    return pa.schema([pa.field(name, whole.field(name).type) for name in names])


def sessions(*days: date, close: str = "16:00") -> ArrowRelation:
    """Return pre, regular and post sessions of the days, as rows of silver.sessions."""
    bounds = (("pre", "04:00", "09:30"), ("regular", "09:30", close), ("post", close, "20:00"))
    return session_rows(
        (day, name, at(start, day), at(end, day))
        for day in days or (MONDAY,)
        for name, start, end in bounds
    )


def session_rows(rows: Iterable[tuple[date, str, int, int]]) -> ArrowRelation:
    """Return trade date, session, start and end as rows of silver.sessions."""
    full = [("XNYS", *row, "test") for row in rows]
    return ArrowRelation(of_rows(arrow_schema(silver.SESSIONS), full))


Refused = tuple[int, str | None, int | None]
"""A row refused at bronze: landing, symbol and start, None where they could not be read."""


def refused_rows(rows: Sequence[Refused] = (), filed: date = MONDAY) -> ArrowRelation:
    """Return rows refused at bronze, as a ledger gives their keys."""
    fields: list[pa.Field[Any]] = [
        pa.field("landing_id", pa.int64()),
        pa.field("file_date", pa.date32()),
        pa.field("symbol", pa.string()),
        pa.field("bar_start_ns", pa.int64()),
    ]
    return ArrowRelation(of_rows(pa.schema(fields), [(i, filed, *key) for i, *key in rows]))


def calendar_rows(days: Sequence[date], first: int = 0) -> ArrowRelation:
    """Return the days as sessions numbered from `first`: trade_date, session_index."""
    fields: list[tuple[str, pa.DataType]] = [
        ("trade_date", pa.date32()),
        ("session_index", pa.int32()),
    ]
    rows = [(day, first + n) for n, day in enumerate(days)]
    return ArrowRelation(of_rows(pa.schema(fields), rows))


def holder_rows(rows: Sequence[Sequence[Any]] = ()) -> ArrowRelation:
    """Return which instrument a symbol is when; a symbol without rows is one by itself."""
    return ArrowRelation(of_rows(relation_schema(HOLDERS), rows))


def acting_rows(rows: Sequence[Sequence[Any]] = ()) -> ArrowRelation:
    """Return what acts on the ex-dates of instruments."""
    return ArrowRelation(of_rows(relation_schema(ACTIONS), rows))


def states(*landings: int | tuple[int, ...]) -> list[State]:
    """Return one state per argument, known from the 3rd of June on, a day apart."""
    return [
        State(known(3 + n), ids if isinstance(ids, tuple) else (ids,))
        for n, ids in enumerate(landings)
    ]


def rows_of(engine: Engine, sql: str, inputs: Mapping[str, Relation]) -> list[dict[str, Any]]:
    """Return the answer as dictionaries."""
    rows: list[dict[str, Any]] = engine.run(sql, inputs).read_all().to_pylist()
    return rows


Row = dict[str, Any]
States = dict[tuple[str, int], Row]
Bars = dict[tuple[str, int], Bar]


def plain_bars(bars: Iterable[Bar], bounds: ArrowRelation, day: date = MONDAY) -> Bars:
    """Return the bars that a file's lines make, by key: checked, of the day, one per key."""
    best: Bars = {}
    for b in bars:
        key = (b.symbol, b.start_ns)
        if is_good(b) and _is_on_date(b.start_ns, b.filed) and _dated(b, bounds)[0] == day:
            best[key] = max(b, best.get(key, b), key=_rank)
    return best


def _is_on_date(start_ns: int, filed: date) -> bool:
    return at("0:00", filed) <= start_ns < at("0:00", filed + timedelta(days=1))


def is_good(b: Bar) -> bool:
    """Say whether the bar keeps every check of silver.minute_bars."""
    o, h, low, c = b.prices
    prices_agree = h == max(o, h, low, c) and low == min(o, h, low, c) and low > 0
    bounded = h < 10**8 and b.volume < 5 * 10**8
    counted = b.volume >= 0 and b.transactions >= 0
    return (
        prices_agree and bounded and counted and b.symbol != "" and b.start_ns % (60 * 10**9) == 0
    )


def _rank(b: Bar) -> tuple[int, Decimal, int, int]:
    return (b.transactions, b.volume, b.row, b.landing)


def _dated(b: Bar, bounds: ArrowRelation) -> tuple[date, str]:
    for s in bounds.data.to_pylist():
        if s["start_ns"] <= b.start_ns < s["end_ns"]:
            return s["trade_date"], s["session"]
    return b.filed, "closed"


def _named(b: Bar) -> Row:
    o, h, low, c = b.prices
    values = {"open": o, "high": h, "low": low, "close": c, "volume": b.volume}
    return {**values, "transactions": b.transactions}


def _rolled(b: Bar, all_bars: Iterable[Bar]) -> Row:
    seen = [
        x
        for x in all_bars
        if x.symbol == b.symbol and b.start_ns - QUARTER_NS < x.start_ns <= b.start_ns
    ]
    total = sum((x.close for x in seen), Decimal(0))
    return {
        "close_avg_15m": (total / len(seen)).quantize(SIX_DIGITS, ROUND_HALF_UP),
        "volume_15m": sum((x.volume for x in seen), Decimal(0)),
        "high_15m": max(x.prices[1] for x in seen),
        "low_15m": min(x.prices[2] for x in seen),
        "rolling_bars": len(seen),
    }


def plain_history(
    bars: Sequence[Bar],
    past: Sequence[State],
    bounds: ArrowRelation,
    refused: Sequence[Refused] = (),
) -> list[Row]:
    """Return all versions, by key and known_from: states walked one after the other.

    A bar that is gone from a state stays while a refused row of its file may be it.
    """
    wholes: list[States] = []
    before: Bars = {}
    for state in past:
        mine = [b for b in bars if b.landing in state.landing_ids]
        good = plain_bars(mine, bounds)
        unknown = _unknown_keys(mine, [r for r in refused if r[0] in state.landing_ids])
        stale = {k: b for k, b in before.items() if k not in good and _may_be(k, b.filed, unknown)}
        before = {**good, **stale}
        wholes.append(
            {
                key: {
                    "session": _dated(b, bounds)[1],
                    **_named(b),
                    **_rolled(b, before.values()),
                    "stale_refused": key in stale,
                }
                for key, b in before.items()
            }
        )
    return _intervals(wholes, past)


Unknown = set[tuple[date, str | None, int | None]]


def _unknown_keys(mine: Sequence[Bar], refused: Sequence[Refused]) -> Unknown:
    """Return file date, symbol and start of refused rows; None where they cannot be trusted."""
    rows = [(b.filed, b.symbol, b.start_ns) for b in mine if not is_good(b)]
    rows += [(b.filed, b.symbol, b.start_ns) for b in mine if not _is_on_date(b.start_ns, b.filed)]
    keys = [*rows, *((MONDAY, symbol, start) for _, symbol, start in refused)]
    return {
        (
            filed,
            symbol or None,
            start
            if start is not None and start % (60 * 10**9) == 0 and _is_on_date(start, filed)
            else None,
        )
        for filed, symbol, start in keys
    }


def _may_be(key: tuple[str, int], filed: date, unknown: Unknown) -> bool:
    return any((f, s or key[0], key[1] if n is None else n) == (filed, *key) for f, s, n in unknown)


def _intervals(wholes: Sequence[States], past: Sequence[State]) -> list[Row]:
    versions: list[Row] = []
    for key in sorted({key for whole in wholes for key in whole}):
        for n, whole in enumerate(wholes):
            row, before = whole.get(key), wholes[n - 1].get(key) if n else None
            if row != before and before is not None:
                versions[-1]["known_to"] = past[n].known_from
            if row is not None and row != before:
                interval = {"known_from": past[n].known_from, "known_to": FOREVER}
                versions.append({"symbol": key[0], "bar_start_ns": key[1], **row, **interval})
    return versions


def without(rows: Iterable[Row], *names: str) -> list[Row]:
    """Return the rows without these columns."""
    return [{k: v for k, v in row.items() if k not in names} for row in rows]


CONSTANTS = ("source", "dataset", "trade_date", "bar_start")
