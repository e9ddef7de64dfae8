"""A market of day bars, and how a copy with faults of every kind is held against it.

Made with numpy alone, without the code under test; what differs is found again here by a loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from ingot.engines.limits import Limits
from ingot.engines.trusted_queries import Reads
from ingot.quality.reconcile.align import Rows
from ingot.quality.reconcile.compare import Context, Input, compare, of_file
from ingot.quality.reconcile.file_inputs import read
from ingot.quality.reconcile.inputs import Side, described, parse
from ingot.tables.input import ArrowRelation
from ingot.tables.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
LIMITS = Limits(memory_mb=2000, threads=2, timeout_s=100, max_rows=5_000_000)


def reads() -> Reads:
    """Return the engine that runs the texts."""
    return Reads(LIMITS)


def side_of(frame: pl.DataFrame, name: str, side: Side | None = None, **more: Any) -> Input:
    """Return a frame of bars as a side; values become decimals."""
    rows = table_of(frame)
    view = View(name, ArrowRelation(rows), tuple(rows.column_names))
    unique = more.pop("unique", False)
    return Input(side or Side(), Rows(name, tuple(rows.column_names), unique=unique), view, **more)


def table_of(frame: pl.DataFrame) -> pa.Table:
    """Return a frame as Arrow, floats as decimals, texts as plain strings."""
    exact = frame.with_columns(pl.selectors.float().round(6).cast(pl.Decimal(18, 6)))
    rows = exact.to_arrow()
    wide = {pa.large_string(), pa.string_view()}
    plain = [f.with_type(pa.string()) if f.type in wide else f for f in rows.schema]
    return rows.cast(pa.schema(plain))


@dataclass(frozen=True)
class Expected:
    """A difference that was made on purpose."""

    kind: str
    cause: str
    symbol: str
    day: date


@dataclass
class Market:
    """Day bars of symbols by days as arrays; a symbol's `shift` moves its dates."""

    symbols: list[str]
    days: list[date]
    values: dict[str, Floats]
    present: NDArray[np.bool_] = field(init=False)
    shift: dict[str, int] = field(default_factory=dict)
    renamed: dict[tuple[str, date], str] = field(default_factory=dict)
    extra: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.present = np.ones((len(self.symbols), len(self.days)), dtype=bool)

    @classmethod
    def made(cls, symbols: int, days: int, seed: int) -> Market:
        """Return a market of random walks with round prices from 3 on and odd volumes."""
        rng = np.random.default_rng(seed)
        shape = (symbols, days)
        walk = np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=1))
        close = np.round(rng.lognormal(3.5, 0.8, (symbols, 1)) * walk, 2).clip(3)
        first = np.round(close * (1 + rng.normal(0, 0.006, shape)), 2)
        high = np.round(np.maximum(first, close) * (1 + np.abs(rng.normal(0, 0.006, shape))), 2)
        low = np.round(np.minimum(first, close) * (1 - np.abs(rng.normal(0, 0.006, shape))), 2)
        volume = np.round(rng.lognormal(11, 1.2, shape)) + 1_000
        volume += (volume % 100 == 0) * 37
        values = {"open": first, "high": high, "low": low, "close": close, "volume": volume}
        return cls([f"S{i:04d}" for i in range(symbols)], weekdays(days), values)

    def copy(self) -> Market:
        """Return a market that may be damaged."""
        return Market(
            list(self.symbols), list(self.days), {n: v.copy() for n, v in self.values.items()}
        )

    def frame(self, **more: Floats) -> pl.DataFrame:
        """Return the bars as rows."""
        rows, columns = np.nonzero(self.present)
        names = [
            self.renamed.get((self.symbols[r], self.days[c]), self.symbols[r])
            for r, c in zip(rows, columns, strict=True)
        ]
        dates = [
            self.days[c] + timedelta(days=self.shift.get(self.symbols[r], 0))
            for r, c in zip(rows, columns, strict=True)
        ]
        values = {n: v[rows, columns] for n, v in (self.values | more).items()}
        made = pl.DataFrame({"symbol": names, "trade_date": dates, **values})
        if not self.extra:
            return made
        return pl.concat([made, pl.DataFrame(self.extra, schema=made.schema)])


def weekdays(count: int, first: date = date(2025, 2, 3)) -> list[date]:
    """Return the first `count` dates from Monday to Friday."""
    span = (first + timedelta(days=i) for i in range(2 * count))
    return [day for day in span if day.weekday() < 5][:count]


def sessions_of(days: list[date]) -> pa.Table:
    """Return regular sessions of these dates, from 09:30 to 16:00 New York in winter time."""
    opens = [datetime(d.year, d.month, d.day, 14, 30, tzinfo=UTC) for d in days]
    starts = [int(o.timestamp()) * 10**9 for o in opens]
    ends = [s + 390 * 60 * 10**9 for s in starts]
    return pa.table(
        {
            "trade_date": pa.array(days, pa.date32()),
            "session": pa.array(["regular"] * len(days)),
            "start_ns": pa.array(starts, pa.int64()),
            "end_ns": pa.array(ends, pa.int64()),
        }
    )


def actions_of(rows: list[tuple[str, date, float, float]]) -> pa.Table:
    """Return corporate actions: symbol, ex-date, new shares for an old one, cash."""
    frame = pl.DataFrame(rows, schema=["symbol", "ex_date", "ratio", "cash"], orient="row")
    numbers = [pl.col(n).cast(pl.Decimal(18, 9)) for n in ("ratio", "cash")]
    made = frame.with_columns(numbers).to_arrow()
    return made.set_column(0, "symbol", made["symbol"].cast(pa.string()))


def differs(name: str, a: float, b: float) -> bool:
    """Say whether two values are not the same, by SEMANTICS 8, written once more."""
    if (a == 0) != (b == 0):
        return True
    share = 1e-4 * max(abs(a), abs(b))
    if name == "volume":
        return abs(a - b) > share
    return abs(a - b) > max(share, 0.005 if abs(a) >= 1 else 0.00005)


def differences(
    a: pl.DataFrame, b: pl.DataFrame, last: dict[str, date]
) -> Iterator[tuple[str, str, date, set[str]]]:
    """Yield (kind, symbol, date, fields) of each key that differs; dates past a side's are LATE."""
    left, right = ({(r["symbol"], r["trade_date"]): r for r in f.to_dicts()} for f in (a, b))
    for key in sorted({*left, *right}):
        one, other = left.get(key), right.get(key)
        if one is None or other is None:
            late = key[1] > last["a" if one is None else "b"]
            yield "LATE" if late else "MISSING", *key, {"bar"}
            continue
        fields = {n for n in VALUES if differs(n, one[n], other[n])}
        if fields:
            yield "VALUE_DRIFT", *key, fields


def opened(text: str) -> Input:
    """Return a file as a side, as the command opens it."""
    named = parse(text)
    file = read(named, described(named))
    return of_file(named, file)


def found_between(a: str, b: str, context: Context | None = None) -> pl.DataFrame:
    """Return the findings between two files."""
    with reads() as engine:
        return pl.DataFrame(
            compare(engine.run, opened(a), opened(b), context or Context()).findings
        )
