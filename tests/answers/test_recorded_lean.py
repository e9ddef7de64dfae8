"""Minute days that LEAN recorded, loaded as a vendor's files, agree with bars made of them by hand.

LEAN has no trade counts: the test writes 1 for each minute.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import pytest

from tests.support.recorded_bars import (
    MINUTE,
    NEW_YORK,
    Bar,
    bars_in,
    one_of,
    publish_bars,
    read_lean,
    resampled,
    rows_in,
    session_of,
    trailing_15_minutes,
)
from tests.support.world import MINUTES, World, at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.app.lake import Lake

OCTOBER = [date(2013, 10, day) for day in (4, 7, 8, 9, 10, 11)]
JUNE = [date(2014, 6, day) for day in (5, 6, 9)]
SPLIT_DAY = date(2014, 6, 9)
ONE_DAY = timedelta(days=1)
pytestmark = pytest.mark.recorded


@pytest.fixture(scope="module")
def recorded_bars(recorded: Path) -> dict[str, list[Bar]]:
    """Return every minute by symbol, oldest first."""
    folder = recorded / "equity-minute" / "lean"
    days = {"AAPL": JUNE} | dict.fromkeys(("AIG", "BAC", "IBM", "SPY"), OCTOBER)
    return {s: [b for day in days[s] for b in read_lean(folder, s, day)] for s in days}


@pytest.fixture(scope="module")
def lake(
    recorded_bars: dict[str, list[Bar]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lake]:
    """Load both spans; the later first, whose days hold fewer symbols than those before."""
    world = World(tmp_path_factory.mktemp("lean"), datasets=(MINUTES,))
    publish_bars(world.tree, MINUTES, (b for bars in recorded_bars.values() for b in bars))
    for days in (JUNE, OCTOBER):
        report = world.backfill(at(1), start=days[0], end=days[-1] + ONE_DAY)
        assert report.exit_code == 0
        assert sum(day.rows_refused for day in report.days) == 0
    with world.lake(at(2)) as lake:
        yield lake


@pytest.mark.parametrize("symbol", ["AAPL", "AIG", "BAC", "IBM", "SPY"])
def test_every_minute_is_there_as_it_was_recorded(
    lake: Lake, recorded_bars: dict[str, list[Bar]], symbol: str
) -> None:
    answer = lake.bars(symbol, interval="1m")
    assert bars_in(answer) == recorded_bars[symbol]
    expected = [(bar.day, session_of(bar)) for bar in recorded_bars[symbol]]
    assert rows_in(answer, "trade_date", "session") == expected
    assert {session for _, session in expected} == {"pre", "regular", "post"}


@pytest.mark.parametrize(("interval", "minutes"), [("5m", 5), ("30m", 30), ("1h", 60)])
def test_wider_bars_of_all_sessions_begin_at_clock_hours(
    lake: Lake, recorded_bars: dict[str, list[Bar]], interval: str, minutes: int
) -> None:
    def bucket(bar: Bar) -> datetime:
        minute = bar.clock.hour * 60 + bar.clock.minute
        return bar.start - minute % minutes * MINUTE

    for symbol in ("SPY", "AAPL"):
        answer = lake.bars(symbol, interval=interval)
        assert bars_in(answer) == resampled(recorded_bars[symbol], bucket)


@pytest.mark.parametrize(("interval", "minutes"), [("15m", 15), ("1h", 60)])
def test_wider_bars_of_a_session_begin_at_its_start(
    lake: Lake, recorded_bars: dict[str, list[Bar]], interval: str, minutes: int
) -> None:
    def bucket(bar: Bar) -> datetime:
        opens = datetime.combine(bar.day, time(9, 30), NEW_YORK).astimezone(UTC)
        return bar.start - (bar.start - opens) % (minutes * MINUTE)

    regular = [bar for bar in recorded_bars["IBM"] if session_of(bar) == "regular"]
    answer = lake.bars("IBM", interval=interval, session="regular")
    assert bars_in(answer) == resampled(regular, bucket)


@pytest.mark.parametrize(("symbol", "day"), [("AAPL", SPLIT_DAY), ("BAC", OCTOBER[2])])
def test_trailing_values_are_those_of_the_15_minutes_up_to_each_bar(
    lake: Lake, recorded_bars: dict[str, list[Bar]], symbol: str, day: date
) -> None:
    names = ("close_avg_15m", "volume_15m", "high_15m", "low_15m", "rolling_bars")
    answer = lake.sql(
        f"SELECT {', '.join(names)} FROM silver.minute_bars "
        f"WHERE symbol = '{symbol}' AND trade_date = DATE '{day}' ORDER BY bar_start_ns"
    )
    of_day = [bar for bar in recorded_bars[symbol] if bar.day == day]
    assert rows_in(answer, *names) == trailing_15_minutes(of_day)


def test_days_of_the_regular_session_add_up_with_their_closing_bar(
    lake: Lake, recorded_bars: dict[str, list[Bar]]
) -> None:
    names = (
        *("symbol", "trade_date", "open", "high", "low", "close", "volume", "bar_count"),
        *("pre_volume", "post_volume", "total_volume"),
        *("close_bar_open", "close_bar_close", "close_bar_volume", "vwap_typical"),
    )
    answer = lake.bars(interval="1d", session="regular")
    expected = [
        day_of([bar for bar in bars if bar.day == day])
        for _, bars in sorted(recorded_bars.items())
        for day in sorted({bar.day for bar in bars})
    ]
    assert rows_in(answer, *names) == expected
    assert len(expected) == 4 * 6 + 3


def day_of(bars: list[Bar]) -> tuple[object, ...]:
    """Return what one day's minutes add up to."""
    volumes = {name: Decimal(0) for name in ("pre", "regular", "post")}
    for bar in bars:
        volumes[session_of(bar)] += bar.volume
    regular = [bar for bar in bars if session_of(bar) == "regular"]
    whole = one_of(regular, regular[0].start)
    closing = [bar for bar in bars if bar.clock == time(16)]
    turnover = sum(bar.volume * (bar.high + bar.low + bar.close) for bar in regular)
    return (
        *(whole.symbol, whole.day, whole.open, whole.high, whole.low, whole.close),
        *(whole.volume, len(regular)),
        *(volumes["pre"], volumes["post"], sum(volumes.values())),
        *((closing[0].open, closing[0].close, closing[0].volume) if closing else (None,) * 3),
        (turnover / (3 * whole.volume)).quantize(Decimal("0.000001"), ROUND_HALF_UP),
    )


def test_the_first_print_of_a_split_day_may_span_both_scales(lake: Lake) -> None:
    answer = lake.bars("AAPL", start=SPLIT_DAY, interval="1m", session="pre")
    assert bars_in(answer)[0].high == Decimal("645.57")
    assert bars_in(answer)[0].low == Decimal("92.23")
