"""gold.performance of random markets against a plain loop over what was known at each moment."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from ingot.engines.transform.duckdb import DuckDBEngine
from ingot.model.time import FOREVER
from ingot.model.unit import Scope
from ingot.tables.input import ArrowRelation
from ingot.transforms.performance import (
    BASES,
    LONGEST_PAUSE,
    LOOKBACK_SESSIONS,
    performance_sql,
)
from tests.support.transform_markets import (
    acting_rows,
    calendar_rows,
    closes_schema,
    holder_rows,
    of_rows,
    rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ingot.tables.input import Relation

FIRST = date(2024, 9, 2)
SESSIONS = 150
DATES = [d for n in range(300) if (d := FIRST + timedelta(days=n)).weekday() < 5][:SESSIONS]
ASKED = range(SESSIONS - 12, SESSIONS)
SCOPE = Scope("massive", "us_stocks_sip", DATES[ASKED[0]], DATES[ASKED[-1]] + timedelta(days=1))
CALENDAR = calendar_rows(DATES, 1000)
EXACT = ("close", "close_source", "suspect_action", "observations_90d", "history_from")
MOMENTS = 12
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


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
    instrument: str
    i: int
    ratio: int
    cash: Decimal
    known_from: datetime
    unapplied_split: int = 0
    unapplied_cash: int = 0

    def unapplied(self, basis: str) -> int:
        """Return 2 where the session is suspect for it, 1 where a large return is."""
        of_cash = self.unapplied_cash if basis == "total_return" else 0
        return max(self.unapplied_split, of_cash)


@dataclass(frozen=True)
class Holder:
    """One version of which instrument a symbol is on sessions `[first, end)`."""

    symbol: str
    first: int
    end: int
    instrument: str
    known_from: datetime
    known_to: datetime = FOREVER


AnyVersion = TypeVar("AnyVersion", Close, Holder)


@dataclass(frozen=True)
class Market:
    """X trades as A and then as NA, which Y hands over to it to be C from then on."""

    closes: Sequence[Close]
    holders: Sequence[Holder] = ()
    actions: Sequence[Action] = ()

    def instrument(self, symbol: str, i: int, at: datetime) -> str:
        """Return what a symbol is on a session, as known at a moment."""
        found = [
            h.instrument
            for h in self.holders
            if h.symbol == symbol and h.first <= i < h.end and h.known_from <= at < h.known_to
        ]
        return found[0] if found else symbol


def moment(i: int, hours: int = 0) -> datetime:
    """Return 15:00 UTC of the day after session `i`, and so many hours later."""
    day = DATES[min(i, SESSIONS - 1)]
    return datetime(day.year, day.month, day.day, 15, tzinfo=UTC) + timedelta(days=1, hours=hours)


def a_market(seed: int) -> Market:
    """Return closes with pauses, corrections, late days, withdrawals, and days without a file.

    That two symbols changed hands is learned, and then by two sessions corrected.
    """
    rng = random.Random(seed)
    rows: list[Close] = []
    handed = rng.choice((SESSIONS - 45, SESSIONS - 15, SESSIONS - 8, SESSIONS - 3))
    for before, after in (("A", "NA"), ("NA", "C"), ("Q", "Q")):
        price = rng.choice((5.0, 50.0, 500.0))
        for i in range(rng.choice((0, 0, 100)), SESSIONS):
            price *= math.exp(rng.gauss(0, 0.02))
            for tier in (0, 1):
                if rng.random() > 0.12:
                    symbol = before if i < handed else after
                    rows += _versions(rng, tier, symbol, i, Decimal(f"{price + tier / 50:.2f}"))
    learned = moment(handed, hours=rng.choice((-200, 0, 3, 90)))
    corrected = learned + timedelta(hours=rng.choice((1, 40, 400)))
    holders = [Holder(s, 0, SESSIONS, s, _EVER, learned) for s in ("A", "NA", "C")]
    holders += _handed_over(handed + 2, learned, corrected)
    holders += _handed_over(handed, corrected, FOREVER)
    return Market(rows, holders, _acting(rng))


def _handed_over(i: int, since: datetime, until: datetime) -> Iterator[Holder]:
    for symbol, before, after in (("A", "X", "A free"), ("NA", "Y", "X"), ("C", "C free", "Y")):
        yield Holder(symbol, 0, i, before, since, until)
        yield Holder(symbol, i, SESSIONS, after, since, until)


def _acting(rng: random.Random) -> list[Action]:
    recent, old = SESSIONS - 6, SESSIONS - 30
    return [
        Action("X", recent, 2, Decimal("0.5"), moment(SESSIONS - 20)),
        Action("Q", old, 3, Decimal("0.25"), moment(SESSIONS - 4)),
        Action("Y", recent, 1, Decimal(0), moment(recent), rng.choice((0, 1, 2)), 2),
        Action("NA", recent, 1, Decimal(0), moment(recent), 1, 0),
    ]


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


def relations(market: Market) -> dict[str, Relation]:
    def table(tier: int) -> ArrowRelation:
        rows = [
            ("massive", "x", c.symbol, DATES[c.i], c.close, c.known_from, c.known_to)
            for c in market.closes
            if c.tier == tier
        ]
        return ArrowRelation(of_rows(closes_schema(), rows))

    dates = [*DATES, DATES[-1] + timedelta(days=1)]
    return {
        "day_bars": table(0),
        "daily_bars": table(1),
        "calendar": CALENDAR,
        "holders": holder_rows(
            [
                (h.symbol, dates[h.first], dates[h.end], h.instrument, h.known_from, h.known_to)
                for h in market.holders
            ]
        ),
        "actions": acting_rows(
            [
                (
                    *(a.instrument, DATES[a.i], float(a.ratio), a.cash),
                    *(a.unapplied_split, a.unapplied_cash, a.known_from, FOREVER),
                )
                for a in market.actions
            ]
        ),
    }


def plain(market: Market, basis: str, at: datetime) -> dict[tuple[str, date], dict[str, Any]]:
    """Return the rows as known at a moment, each from scratch."""
    series: dict[tuple[str, int], dict[int, Decimal]] = {}
    keys: dict[tuple[str, int], str] = {}
    for c in market.closes:
        if c.known_from <= at < c.known_to:
            instrument = market.instrument(c.symbol, c.i, at)
            series.setdefault((instrument, c.tier), {})[c.i] = c.close
            keys[c.symbol, c.i] = instrument
    rows = {}
    for (symbol, i), instrument in keys.items():
        if i in ASKED:
            tier = next(t for t in (0, 1) if i in series.get((instrument, t), ()))
            window = {
                j: c for j, c in series[instrument, tier].items() if i - LOOKBACK_SESSIONS <= j <= i
            }
            known = [a for a in market.actions if a.instrument == instrument and a.known_from <= at]
            tables = ("silver.day_bars", "gold.daily_bars")
            row = {
                "close": window[i],
                "close_source": tables[tier],
                "history_from": DATES[min(window)],
            }
            rows[symbol, DATES[i]] = row | _measures(window, known, i, basis)
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


def _is_suspect(days: Sequence[int], actions: Sequence[Action], r: float, basis: str) -> bool:
    if basis == "raw":
        return abs(r) > 0.4
    since = [a.unapplied(basis) for a in actions if len(days) > 1 and days[-2] < a.i <= days[-1]]
    return max(since, default=0) > (0 if abs(r) > 0.4 else 1)


def _measures(
    closes: dict[int, Decimal], actions: Sequence[Action], i: int, basis: str
) -> dict[str, Any]:
    level = levels(closes, actions, basis)
    days = sorted(level)
    returns = {
        b: level[b] / level[a] - 1 for a, b in itertools.pairwise(days) if b - a <= LONGEST_PAUSE
    }
    last_year = [j for j in days if DATES[j].year == DATES[i].year - 1]
    row: dict[str, Any] = {
        "return_1d": returns.get(i),
        "suspect_action": _is_suspect(days, actions, returns.get(i, 0), basis),
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


def answers(engine: DuckDBEngine, market: Market, basis: str) -> list[dict[str, Any]]:
    sql = performance_sql(SCOPE, basis=basis, risk_free_rate=0.03)
    return rows_of(engine, sql, relations(market))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("basis", BASES)
def test_each_moment_s_rows_are_those_computed_from_what_was_known_then(
    engine: DuckDBEngine, basis: str, seed: int
) -> None:
    market = a_market(seed)
    rows = answers(engine, market, basis)
    for at in _moments(market, random.Random(seed)):
        seen = {
            (r["symbol"], r["trade_date"]): r for r in rows if r["known_from"] <= at < r["known_to"]
        }
        expected = plain(market, basis, at)
        assert set(seen) == set(expected)
        for key, row in expected.items():
            exact = {name: row.pop(name) for name in EXACT}
            assert {name: seen[key][name] for name in EXACT} == exact
            found = {name: _or_nan(seen[key][name]) for name in row}
            wanted = {name: _or_nan(value) for name, value in row.items()}
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-11, nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("basis", BASES)
def test_one_session_has_the_rows_that_windows_give(
    engine: DuckDBEngine, basis: str, seed: int
) -> None:
    inputs = relations(a_market(seed))
    day = DATES[ASKED[5 * seed]]
    scope = replace(SCOPE, start=day, end=day + timedelta(days=1))
    by_windows, by_aggregates = (
        rows_of(engine, performance_sql(scope, basis=basis, one_session=one), inputs)
        for one in (False, True)
    )
    assert by_aggregates == by_windows != []


def _moments(market: Market, rng: random.Random) -> list[datetime]:
    """Return when it changes who holds what and what acts, and some of when closes change."""
    closes = {c.known_from for c in market.closes} | {c.known_to for c in market.closes}
    closes = {t for t in closes if moment(ASKED[0] - 2) <= t < FOREVER}
    others = {h.known_from for h in market.holders} | {a.known_from for a in market.actions}
    return sorted({*rng.sample(sorted(closes), MOMENTS), *others} - {_EVER})


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


@pytest.mark.parametrize("seed", range(6))
def test_consecutive_versions_of_a_key_meet_or_leave_a_gap_and_differ(
    engine: DuckDBEngine, seed: int
) -> None:
    rows = answers(engine, a_market(seed), "raw")
    for a, b in itertools.pairwise(rows):
        if (a["symbol"], a["trade_date"]) == (b["symbol"], b["trade_date"]):
            assert a["known_to"] <= b["known_from"]
            values = [{**r, "known_from": 0, "known_to": 0} for r in (a, b)]
            assert a["known_to"] < b["known_from"] or values[0] != values[1]


def test_what_is_learnt_later_leaves_earlier_answers_bit_for_bit(engine: DuckDBEngine) -> None:
    market = a_market(1)
    cut = moment(SESSIONS - 5)
    then = Market(_by(cut, market.closes), _by(cut, market.holders))

    def seen(market: Market) -> list[dict[str, Any]]:
        rows = answers(engine, market, "raw")
        known = [r for r in rows if r["known_from"] <= cut < r["known_to"]]
        return [{k: v for k, v in r.items() if k != "known_to"} for r in known]

    assert seen(market) == seen(then)


def _by(cut: datetime, versions: Iterable[AnyVersion]) -> list[AnyVersion]:
    """Return what was known of them at a moment."""
    return [
        replace(v, known_to=v.known_to if v.known_to <= cut else FOREVER)
        for v in versions
        if v.known_from <= cut
    ]
