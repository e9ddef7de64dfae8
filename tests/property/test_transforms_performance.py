"""gold.performance of random markets against a plain loop over what was known at each moment."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ingot.engines.duckdb import DuckDBEngine
from ingot.model.time import FOREVER
from ingot.model.work import Scope
from ingot.tables import silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.relation import ArrowRelation
from ingot.transforms.performance import (
    BASES,
    LONGEST_PAUSE,
    LOOKBACK_SESSIONS,
    performance_sql,
)
from tests.transform_markets import calendar_rows, closes_schema, of_rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.tables.relation import Relation

FIRST = date(2024, 9, 2)
SESSIONS = 150
DATES = [d for n in range(300) if (d := FIRST + timedelta(days=n)).weekday() < 5][:SESSIONS]
ASKED = range(SESSIONS - 12, SESSIONS)
SCOPE = Scope("massive", "us_stocks_sip", DATES[ASKED[0]], DATES[ASKED[-1]] + timedelta(days=1))
CALENDAR = calendar_rows(DATES, 1000)
EXACT = ("close", "close_source", "suspect_action", "observations_90d")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    folder = tmp_path_factory.mktemp("spill")
    with DuckDBEngine(memory_limit_mb=256, threads=2, temp_directory=folder) as made:
        yield made


@dataclass(frozen=True)
class Close:
    """One version of one close; `tier` 0 is the vendor's, 1 is made of minutes."""

    tier: int
    symbol: str
    i: int
    close: Decimal
    known_from: datetime
    known_to: datetime = FOREVER


@dataclass(frozen=True)
class Action:
    symbol: str
    i: int
    ratio: int
    cash: Decimal
    known_from: datetime


def moment(i: int, hours: int = 0) -> datetime:
    """Return 15:00 UTC of the day after session `i`, and so many hours later."""
    day = DATES[min(i, SESSIONS - 1)]
    return datetime(day.year, day.month, day.day, 15, tzinfo=UTC) + timedelta(days=1, hours=hours)


def a_market(seed: int) -> list[Close]:
    """Return closes with pauses, corrections, late days, withdrawals, and days without a file."""
    rng = random.Random(seed)
    rows: list[Close] = []
    for symbol in ("A", "NA"):
        price = 50.0
        for i in range(rng.choice((0, 0, 100)), SESSIONS):
            price *= math.exp(rng.gauss(0, 0.02))
            for tier in (0, 1):
                if rng.random() > 0.12:
                    rows += _versions(rng, tier, symbol, i, Decimal(f"{price + tier / 50:.2f}"))
    return rows


def _versions(
    rng: random.Random, tier: int, symbol: str, i: int, close: Decimal
) -> Iterator[Close]:
    at = moment(i, hours=rng.choice((0, 0, 0, 0, 1, 1, 500)) - tier)
    if rng.random() < 0.03:
        changed = at + timedelta(hours=rng.choice((3, 50, 800)))
        yield Close(tier, symbol, i, close, at, changed)
        if rng.random() < 0.3:
            return
        close, at = close + 1, changed + timedelta(hours=rng.choice((0, 0, 30)))
    yield Close(tier, symbol, i, close, at)


def relations(closes: Sequence[Close], actions: Sequence[Action] = ()) -> dict[str, Relation]:
    def table(tier: int) -> ArrowRelation:
        rows = [
            ("massive", "x", c.symbol, DATES[c.i], c.close, c.known_from, c.known_to)
            for c in closes
            if c.tier == tier
        ]
        return ArrowRelation(of_rows(closes_schema(), rows))

    acting = [
        (
            *("csv", "actions", f"{n}.{kind}", a.symbol, DATES[a.i], kind),
            *(Decimal(1), Decimal(a.ratio), a.cash, "USD", None, a.known_from, FOREVER),
        )
        for n, a in enumerate(actions)
        for kind in ("split", "cash_dividend")
    ]
    return {
        "day_bars": table(0),
        "daily_bars": table(1),
        "calendar": CALENDAR,
        "actions": ArrowRelation(of_rows(arrow_schema(silver.CORPORATE_ACTIONS), acting)),
    }


def plain(
    closes: Sequence[Close], actions: Sequence[Action], basis: str, at: datetime
) -> dict[tuple[str, date], dict[str, Any]]:
    """Return the rows as known at a moment, each from scratch."""
    series: dict[tuple[str, int], dict[int, Decimal]] = {}
    for c in closes:
        if c.known_from <= at < c.known_to:
            series.setdefault((c.symbol, c.tier), {})[c.i] = c.close
    rows = {}
    for symbol in sorted({s for s, _ in series}):
        for i in ASKED:
            tier = next((t for t in (0, 1) if i in series.get((symbol, t), ())), None)
            if tier is not None:
                seen = {
                    j: c for j, c in series[symbol, tier].items() if i - LOOKBACK_SESSIONS <= j <= i
                }
                known = [a for a in actions if a.symbol == symbol and a.known_from <= at]
                tables = ("silver.day_bars", "gold.daily_bars")
                row = {"close": seen[i], "close_source": tables[tier]}
                rows[symbol, DATES[i]] = row | _measures(levels(seen, known, basis), i, basis)
    return rows


def levels(closes: dict[int, Decimal], actions: Sequence[Action], basis: str) -> dict[int, float]:
    found, shares, before = {}, 1.0, None
    for j in sorted(closes):
        mine = [a for a in actions if before is not None and before < a.i <= j and basis != "raw"]
        for a in mine:
            shares *= a.ratio
        if basis == "total_return" and mine:
            shares *= 1 + sum(float(a.cash) for a in mine) / float(closes[j])
        found[j] = float(closes[j]) * shares
        before = j
    return found


def _measures(level: dict[int, float], i: int, basis: str) -> dict[str, Any]:
    days = sorted(level)
    returns = {
        b: level[b] / level[a] - 1 for a, b in itertools.pairwise(days) if b - a <= LONGEST_PAUSE
    }
    last_year = [j for j in days if DATES[j].year == DATES[i].year - 1]
    row: dict[str, Any] = {
        "return_1d": returns.get(i),
        "suspect_action": basis == "raw" and abs(returns.get(i, 0)) > 0.4,
        "return_ytd": level[i] / level[last_year[-1]] - 1 if last_year else None,
        "drawdown": level[i] / max(level[j] for j in days if j > i - 252) - 1,
        "observations_90d": sum(j > i - 90 for j in returns),
    }
    for n in (30, 90):
        r = [returns[j] for j in returns if j > i - n]
        logs = [math.log1p(x) for x in r]
        enough = len(r) >= 2 * n / 3
        anchor = [j for j in days if j <= i - n]
        row[f"return_{n}d"] = level[i] / level[anchor[-1]] - 1 if anchor else None
        row[f"volatility_{n}d"] = statistics.stdev(logs) * math.sqrt(252) if enough else None
        row[f"sharpe_{n}d"] = (
            (statistics.fmean(r) - 0.03 / 252) / statistics.stdev(r) * math.sqrt(252)
            if enough
            else None
        )
    return row


def answers(
    engine: DuckDBEngine, closes: Sequence[Close], actions: Sequence[Action], basis: str
) -> list[dict[str, Any]]:
    sql = performance_sql(SCOPE, basis=basis, risk_free_rate=0.03)
    return rows_of(engine, sql, relations(closes, actions))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("basis", BASES)
def test_each_moment_s_rows_are_those_computed_from_what_was_known_then(
    engine: DuckDBEngine, basis: str, seed: int
) -> None:
    closes = a_market(seed)
    actions = [
        Action("A", SESSIONS - 6, 2, Decimal("0.5"), moment(SESSIONS - 20)),
        Action("A", SESSIONS - 30, 3, Decimal("0.25"), moment(SESSIONS - 4)),
    ]
    rows = answers(engine, closes, actions, basis)
    bounds = {c.known_from for c in closes} | {c.known_to for c in closes} - {FOREVER}
    bounds |= {a.known_from for a in actions}
    for at in sorted(t for t in bounds if t >= moment(ASKED[0] - 2)):
        seen = {
            (r["symbol"], r["trade_date"]): r for r in rows if r["known_from"] <= at < r["known_to"]
        }
        expected = plain(closes, actions, basis, at)
        assert set(seen) == set(expected)
        for key, row in expected.items():
            exact = {name: row.pop(name) for name in EXACT}
            assert {name: seen[key][name] for name in EXACT} == exact
            found = {name: _or_nan(seen[key][name]) for name in row}
            wanted = {name: _or_nan(value) for name, value in row.items()}
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-11, nan_ok=True)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


@pytest.mark.parametrize("seed", range(6))
def test_consecutive_versions_of_a_key_meet_or_leave_a_gap_and_differ(
    engine: DuckDBEngine, seed: int
) -> None:
    rows = answers(engine, a_market(seed), (), "raw")
    for a, b in itertools.pairwise(rows):
        if (a["symbol"], a["trade_date"]) == (b["symbol"], b["trade_date"]):
            assert a["known_to"] <= b["known_from"]
            values = [{**r, "known_from": 0, "known_to": 0} for r in (a, b)]
            assert a["known_to"] < b["known_from"] or values[0] != values[1]


def test_what_is_learnt_later_leaves_earlier_answers_bit_for_bit(engine: DuckDBEngine) -> None:
    closes = a_market(1)
    cut = moment(SESSIONS - 5)
    then = [
        Close(
            c.tier,
            c.symbol,
            c.i,
            c.close,
            c.known_from,
            c.known_to if c.known_to <= cut else FOREVER,
        )
        for c in closes
        if c.known_from <= cut
    ]

    def seen(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        known = [r for r in rows if r["known_from"] <= cut < r["known_to"]]
        return [{k: v for k, v in r.items() if k != "known_to"} for r in known]

    assert seen(answers(engine, closes, (), "raw")) == seen(answers(engine, then, (), "raw"))
