"""Minutes of two other vendors, shifted and renamed as a connector would, agree with bars.

Alpha Vantage labels a bar by its end: the test's conversion moves it to its start. Neither its
quarter hours nor its session times were computed by us.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.recorded_bars import (
    MINUTE,
    Bar,
    bars_in,
    publish_bars,
    read_alphavantage,
    read_massive_rest,
    rows_in,
    session_of,
)
from tests.support.world import MINUTES, World, at

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.query.result.answer import Answer

WEEK = (date(2019, 2, 11), date(2019, 2, 16))
HALF_DAY = date(2020, 11, 27)
ONE_DAY = timedelta(days=1)
pytestmark = pytest.mark.recorded


def loaded(folder: Path, bars: list[Bar]) -> World:
    """Return a lake that loaded the bars, all of them, from the vendor's tree."""
    world = World(folder, datasets=(MINUTES,))
    days = publish_bars(world.tree, MINUTES, bars)
    report = world.backfill(at(1), start=days[0], end=days[-1] + ONE_DAY)
    assert (report.exit_code, sum(day.rows_refused for day in report.days)) == (0, 0)
    return world


def by_start(bars: list[Bar]) -> list[tuple[object, ...]]:
    """Return what the vendor's file says of bars, without the trade counts that it lacks."""
    return [(b.symbol, b.start, b.open, b.high, b.low, b.close, b.volume) for b in bars]


def bars_without_counts(answer: Answer) -> list[tuple[object, ...]]:
    return by_start(bars_in(answer))


def test_minutes_add_up_to_the_vendors_own_quarter_hours(recorded: Path, tmp_path: Path) -> None:
    folder = recorded / "equity-minute" / "alphavantage"
    minutes = {
        s: read_alphavantage(folder / f"{s}_1min.csv.gz", s, MINUTE) for s in ("MSFT", "SPY")
    }
    world = loaded(tmp_path, [*minutes["MSFT"], *minutes["SPY"]])
    with world.lake(at(2)) as lake:
        for symbol, found in minutes.items():
            quarters = read_alphavantage(folder / f"{symbol}_15min.csv.gz", symbol, 15 * MINUTE)
            expected = by_start([b for b in quarters if WEEK[0] <= b.day < WEEK[1]])
            assert len(expected) == 5 * 26
            assert bars_without_counts(lake.bars(symbol, interval="15m")) == expected
            of_session = lake.bars(symbol, interval="15m", session="regular")
            assert bars_without_counts(of_session) == expected
            assert bars_in(lake.bars(symbol, interval="1m")) == found


def test_a_half_day_has_the_sessions_of_its_clock(recorded: Path, tmp_path: Path) -> None:
    path = (
        recorded / "equity-minute/alphavantage-extended/MSFT_1min_extended_20201123_20201218.csv.gz"
    )
    days = {HALF_DAY - 2 * ONE_DAY, HALF_DAY}
    minutes = [b for b in read_alphavantage(path, "MSFT", MINUTE) if b.day in days]
    world = loaded(tmp_path, minutes)
    early = {"close": time(13), "post_end": time(17)}
    expected = [
        (bar.day, session_of(bar, **(early if bar.day == HALF_DAY else {}))) for bar in minutes
    ]
    with world.lake(at(2)) as lake:
        answer = lake.bars("MSFT", interval="1m")
        assert bars_in(answer) == minutes
        assert rows_in(answer, "trade_date", "session") == expected
    assert (HALF_DAY, "post") in expected


def test_minutes_whose_average_price_lies_outside_their_range_are_loaded(
    recorded: Path, tmp_path: Path
) -> None:
    path = recorded / "equity-minute/massive-rest-shape/SPY_1min_2024-02-20_2024-03-08.csv.gz"
    minutes = [b for b in read_massive_rest(path, "SPY") if b.day < date(2024, 2, 23)]
    world = loaded(tmp_path, minutes)
    with world.lake(at(2)) as lake:
        answer = lake.bars("SPY", interval="1m")
        assert bars_in(answer) == minutes
        assert rows_in(answer, "session") == [(session_of(bar),) for bar in minutes]
    assert len(minutes) > 2000
