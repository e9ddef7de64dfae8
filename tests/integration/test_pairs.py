"""Every two of ten things that happen to a company, in every way to read its bars.

Answers are compared with `tests.support.pair_market`, which knows who traded what and nothing of
the lake.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.support.pair_market import (
    CASH,
    CHANGED,
    END,
    HALF,
    LAST,
    LATE,
    MOMENTS,
    PAIRS,
    RATIO,
    START,
    PairMarket,
    Row,
    Scenario,
    day_rows,
    holder,
    known,
    read_as,
    scale,
    scenarios,
)
from tests.support.recorded_bars import one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from ingot.app.lake import Lake
    from ingot.query.result.answer import Answer

pytestmark = pytest.mark.services  # half a minute to load, minutes to query
HALF_AND_LATE = ("late", "half")
PLAIN = "SPY"
ONE_DAY = timedelta(days=1)
Bars = list[tuple[Any, ...]]


class Loaded:
    """A loaded market, its lake, and what must be known of each scenario."""

    def __init__(self, market: PairMarket) -> None:
        self.market = market
        self.lake: Lake = market.lake(MOMENTS[-1] + ONE_DAY)
        self.minutes = market.minutes()
        self.days = {s: day_rows(found) for s, found in self.minutes.items()}


@pytest.fixture(scope="module")
def markets(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[tuple[str, ...]], Loaded]]:
    """Give the market of a pair; the one whose half day comes late is a market of its own."""
    others = scenarios([p for p in PAIRS if p != HALF_AND_LATE])
    made: dict[bool, Loaded] = {}

    def market_of(pair: tuple[str, ...]) -> Loaded:
        alone = pair == HALF_AND_LATE
        if alone not in made:
            market = PairMarket(
                tmp_path_factory.mktemp("pairs"),
                scenarios([pair]) if alone else others,
                HALF if alone else LATE,
            )
            market.load()
            made[alone] = Loaded(market)
        return made[alone]

    yield market_of
    for loaded in made.values():
        loaded.lake.close()


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest, markets: Callable[[tuple[str, ...]], Loaded]) -> Pair:
    loaded = markets(request.param)
    return Pair(loaded, next(s for s in loaded.minutes if s.features == request.param))


class Pair:
    """One scenario and the market that it is in."""

    def __init__(self, loaded: Loaded, scenario: Scenario) -> None:
        self.loaded, self.scenario, self.lake = loaded, scenario, loaded.lake
        self.names = sorted({s for _, s, _, _ in scenario.holdings})

    def minutes(self, load: int) -> list[Row]:
        return known(self.loaded.minutes[self.scenario], load)

    def days(self, load: int) -> list[Row]:
        return known(self.loaded.days[self.scenario], load)

    def each(self) -> Iterator[tuple[str, int, datetime]]:
        """Yield every symbol at every moment, with the load that it follows."""
        for symbol in self.names:
            for load, moment in enumerate(MOMENTS):
                yield symbol, load, moment

    def bars(self, rows: Iterable[Row], symbol: str) -> Bars:
        """Return the bars that a symbol must answer with on the basis of splits."""
        found = [
            (symbol, r.trade_date, r.bar.start, *self.prices(r), self.volume(r))
            for r in read_as(self.scenario, rows, symbol)
        ]
        return sorted(found, key=lambda bar: (bar[1], bar[2]))

    def prices(self, row: Row) -> tuple[float, ...]:
        by, bar = scale(self.scenario, row), row.bar
        return tuple(float(Fraction(v) / by) for v in (bar.open, bar.high, bar.low, bar.close))

    def volume(self, row: Row) -> float:
        return float(Fraction(row.bar.volume) * scale(self.scenario, row))


def shown(answer: Answer, *names: str) -> Bars:
    return answer.to_polars().select(*names).rows()


LONG = ("symbol", "trade_date", "bar_start", "open", "high", "low", "close", "volume")


def minutes_of(lake: Lake, *symbols: str, **changes: Any) -> Answer:
    asked: dict[str, Any] = {"start": START, "end": END, "interval": "1m", "basis": "split"}
    return lake.bars(*symbols, **(asked | changes))


def test_long_bars(pair: Pair) -> None:
    for symbol, load, moment in pair.each():
        answer = minutes_of(pair.lake, symbol, known_at=moment)
        assert shown(answer, *LONG) == pair.bars(pair.minutes(load), symbol)


def test_wide_bars_are_in_the_order_of_time(pair: Pair) -> None:
    for symbol, load, moment in pair.each():
        answer = minutes_of(pair.lake, symbol, PLAIN, layout="wide", known_at=moment)
        frame = answer.to_polars()
        assert frame["bar_start"].is_sorted()
        assert frame["bar_start"].is_unique().all()
        found = frame.drop_nulls(symbol).select("bar_start", symbol).rows()
        expected = pair.bars(pair.minutes(load), symbol)
        assert found == [(bar[2], bar[6]) for bar in expected]


def test_resampled_bars(pair: Pair) -> None:
    for symbol, load, moment in pair.each():
        answer = minutes_of(pair.lake, symbol, interval="1h", known_at=moment)
        assert shown(answer, *LONG) == hours(
            pair, read_as(pair.scenario, pair.minutes(load), symbol), symbol
        )


def hours(pair: Pair, rows: Sequence[Row], symbol: str) -> Bars:
    """Return one bar for the minutes of each hour of the clock and trade date."""

    def bucket(row: Row) -> tuple[date, datetime]:
        return row.trade_date, row.bar.start.replace(minute=0)

    found: Bars = []
    ordered = sorted(rows, key=lambda r: (r.trade_date, r.bar.start))
    for (day, start), group in groupby(ordered, bucket):
        own = list(group)
        bar = one_of([r.bar for r in own], start)
        row = Row(own[0].company, bar, day, "")
        found.append((symbol, day, start, *pair.prices(row), pair.volume(row)))
    return found


def test_sql(pair: Pair) -> None:
    names = ", ".join(f"'{name}'" for name in pair.names)
    for load, moment in enumerate(MOMENTS):
        answer = pair.lake.sql(
            f"select {', '.join(LONG)}, stale_refused from silver.minute_bars "
            f"where symbol in ({names}) order by symbol, bar_start",
            basis="split",
            known_at=moment,
        )
        expected = [
            (
                r.bar.symbol,
                r.trade_date,
                r.bar.start,
                *pair.prices(r),
                pair.volume(r),
                r.refused_since <= load,
            )
            for r in sorted(pair.minutes(load), key=lambda r: (r.bar.symbol, r.bar.start))
        ]
        assert shown(answer, *LONG, "stale_refused") == expected


def test_trailing_windows(pair: Pair) -> None:
    names = ", ".join(f"'{name}'" for name in pair.names)
    for load, moment in enumerate(MOMENTS):
        answer = pair.lake.sql(
            f"select symbol, bar_start, rolling_bars, volume_15m from silver.minute_bars "
            f"where symbol in ({names}) order by symbol, bar_start",
            known_at=moment,
        )
        rows = sorted(pair.minutes(load), key=lambda r: (r.bar.symbol, r.bar.start))
        expected = []
        for row in rows:
            window = [
                r.bar.volume
                for r in rows
                if (r.bar.symbol, r.trade_date) == (row.bar.symbol, row.trade_date)
                and row.bar.start - timedelta(minutes=15) < r.bar.start <= row.bar.start
            ]
            expected.append((row.bar.symbol, row.bar.start, len(window), float(sum(window))))
        assert answer.to_polars().rows() == expected


def test_performance(pair: Pair) -> None:
    names = ", ".join(f"'{name}'" for name in pair.names)
    for load, moment in enumerate(MOMENTS):
        answer = pair.lake.sql(
            "select symbol, trade_date, return_1d, suspect_action from gold.performance "
            f"where symbol in ({names}) and basis = 'total_return' order by symbol, trade_date",
            known_at=moment,
        )
        found = {(s, d): (r, suspect) for s, d, r, suspect in answer.to_polars().rows()}
        expected = returns(pair, load)
        assert {k: found[k][0] for k, r in expected.items() if r is None} == dict.fromkeys(
            (k for k, r in expected.items() if r is None), None
        )
        measured = {k: r for k, r in expected.items() if r is not None}
        assert {k: found[k][0] for k in measured} == pytest.approx(measured, rel=1e-12)
        assert not any(suspect for _, suspect in found.values())


def returns(pair: Pair, load: int) -> dict[tuple[str, date], float | None]:
    """Return each day's return of each company, under the symbol that it traded under."""
    found: dict[tuple[str, date], float | None] = {}
    ordered = sorted(pair.days(load), key=lambda r: (r.company, r.trade_date))
    for _, group in groupby(ordered, lambda r: r.company):
        own = list(group)
        found[own[0].bar.symbol, own[0].trade_date] = None
        for before, row in pairwise(own):
            close, ratio, cash = Fraction(row.bar.close), Fraction(1), Fraction(0)
            acting = holder(pair.scenario, pair.scenario.acting, CHANGED)
            if row.company == acting and row.trade_date == CHANGED:
                ratio = Fraction(RATIO) if pair.scenario.has("split") else ratio
                cash = Fraction(CASH) if pair.scenario.has("dividend") else cash
            earned = (close + cash) * ratio / Fraction(before.bar.close) - 1
            found[row.bar.symbol, row.trade_date] = float(earned)
    return found


def test_the_universe(pair: Pair) -> None:
    for load, moment in enumerate(MOMENTS):
        for day in (CHANGED - ONE_DAY, CHANGED, LAST, LAST + ONE_DAY):
            answer = pair.lake.universe(day, known_at=moment, rule="symbol like 'Q%'")
            rows = answer.to_polars().select("symbol", "instrument_id", "close").rows()
            found = [row for row in rows if row[0] in pair.names]
            expected = sorted(
                (r.bar.symbol, r.company, float(r.bar.close))
                for r in pair.days(load)
                if r.trade_date == day
            )
            assert found == expected


def test_several_symbols_answer_as_each_alone(pair: Pair) -> None:
    for load, moment in enumerate(MOMENTS):
        answer = minutes_of(pair.lake, *pair.names, PLAIN, "NOSUCH", known_at=moment)
        for symbol in pair.names:
            own = [bar for bar in shown(answer, *LONG) if bar[0] == symbol]
            assert own == pair.bars(pair.minutes(load), symbol)
        assert PLAIN in answer.to_polars()["symbol"].unique()


def test_bars_without_a_span(pair: Pair) -> None:
    for symbol, load, moment in pair.each():
        answer = pair.lake.bars(symbol, basis="split", known_at=moment)
        found = shown(answer, "symbol", "trade_date", "close", "volume")
        expected = [(b[0], b[1], b[6], b[7]) for b in pair.bars(pair.days(load), symbol)]
        assert found == expected


def test_an_export_holds_the_bars_and_is_replayed_byte_for_byte(pair: Pair, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"start": START, "end": END, "interval": "1m", "basis": "split"}
    made = pair.lake.export(tmp_path / "made", *pair.names, PLAIN, known_at=MOMENTS[-1], **asked)
    (file,) = (tmp_path / "made").glob("*.parquet")
    rows = pl.read_parquet(file).select(LONG).rows()
    for symbol in pair.names:
        own = [bar for bar in rows if bar[0] == symbol]
        assert own == pair.bars(pair.minutes(2), symbol)
    pair.lake.replay(made.folder / "manifest.json", tmp_path / "again")
    assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()
