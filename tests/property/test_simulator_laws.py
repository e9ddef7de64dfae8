"""Laws of the synthetic market: same question, same bytes; a day is a function of its minutes."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.simulator.market import hashing
from ingot.simulator.market.bars import Bars
from ingot.simulator.market.market import Market
from ingot.simulator.market.minute_bars import minute_bars
from ingot.simulator.market.prices import on_tick, ticks_down, ticks_up
from ingot.simulator.simulate import simulate
from ingot.simulator.vendor.flatfile import row_text, text_chunks

NEW_YORK = ZoneInfo("America/New_York")
STOCKS, OPTIONS = "us_stocks_sip", "us_options_opra"

Row = list[str]

# Weeks with a half day, with each change of clocks, and with the first fractional volumes.
days = st.sampled_from(
    [date(2024, 11, 29), date(2025, 3, 7), date(2025, 3, 10), date(2025, 11, 3), date(2026, 2, 23)]
)


def rows(out: Path, prefix: str, kind: str, day: date) -> list[Row]:
    path = out / prefix / f"{kind}_aggs_v1" / f"{day:%Y}" / f"{day:%m}" / f"{day}.csv.gz"
    return [x.split(",") for x in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]


def by_ticker(found: list[Row]) -> dict[str, list[Row]]:
    return {ticker: list(group) for ticker, group in groupby(found, key=lambda r: r[0])}


def new_york(row: Row) -> datetime:
    return datetime.fromtimestamp(int(row[6]) // 10**9, UTC).astimezone(NEW_YORK)


def digests(out: Path) -> dict[str, str]:
    found = sorted(out.glob("us_*/**/*.gz"))
    return {str(p.relative_to(out)): sha256(p.read_bytes()).hexdigest() for p in found}


def made(out: Path, day: date, *, seed: int = 1, symbols: int = 20, stage: int = 1) -> Path:
    end = day + timedelta(days=1)
    simulate(out, start=day, end=end, symbols=symbols, seed=seed, stage=stage, truth=False)
    return out


@settings(max_examples=6)
@given(day=days, seed=st.integers(0, 2**31), stage=st.integers(1, 4))
def test_a_day_bar_is_a_function_of_the_days_minutes(day: date, seed: int, stage: int) -> None:
    close = 13 if day == date(2024, 11, 29) else 16
    with TemporaryDirectory() as folder:
        out = made(Path(folder) / "t", day, seed=seed, symbols=40, stage=stage)
        minutes = by_ticker(rows(out, STOCKS, "minute", day))
        daily = {r[0]: r for r in rows(out, STOCKS, "day", day)}
    expected, odd_lots = set(), 0
    for ticker, bars in minutes.items():
        clock = [(new_york(b).hour * 60 + new_york(b).minute, b) for b in bars]
        regular = [b for m, b in clock if 570 <= m < close * 60]
        printed = [b for m, b in clock if m == close * 60]
        if not regular and not printed:
            continue
        expected.add(ticker)
        day_bar = daily[ticker]
        prices = [Decimal(p) for b in regular for p in (b[4], b[5])]
        prices += [Decimal(b[2]) for b in printed]
        assert Decimal(day_bar[2]) == Decimal((regular or printed)[0][2])
        assert Decimal(day_bar[3]) == Decimal(printed[0][2] if printed else regular[-1][3])
        assert (Decimal(day_bar[4]), Decimal(day_bar[5])) == (max(prices), min(prices))
        total = sum(Decimal(b[1]) for b in bars)
        assert total <= Decimal(day_bar[1]) <= total * Decimal("1.005") + 1
        odd_lots += Decimal(day_bar[1]) != total
        assert int(day_bar[7]) >= sum(int(b[7]) for b in bars)
        assert new_york(day_bar).isoformat()[:19] == f"{day}T00:00:00"
    assert set(daily) == expected
    assert odd_lots < len(expected)


@settings(max_examples=5)
@given(day=days, seed=st.integers(0, 2**31), stage=st.integers(1, 3))
def test_option_minutes_aggregate_exactly_to_the_day(day: date, seed: int, stage: int) -> None:
    with TemporaryDirectory() as folder:
        out = made(Path(folder) / "t", day, seed=seed, stage=stage)
        minutes = by_ticker(rows(out, OPTIONS, "minute", day))
        daily = {r[0]: r for r in rows(out, OPTIONS, "day", day)}
    assert set(daily) == set(minutes)
    assert len(daily) > 20
    for ticker, bars in minutes.items():
        assert [Decimal(x) for x in daily[ticker][1:6]] == [
            sum(Decimal(b[1]) for b in bars),
            Decimal(bars[0][2]),
            Decimal(bars[-1][3]),
            max(Decimal(b[4]) for b in bars),
            min(Decimal(b[5]) for b in bars),
        ]
        assert int(daily[ticker][7]) == sum(int(b[7]) for b in bars)


@settings(max_examples=4)
@given(day=days, seed=st.integers(0, 2**31))
def test_bars_lie_in_the_days_sessions_and_in_all_of_them(day: date, seed: int) -> None:
    close, end = (13, 17) if day == date(2024, 11, 29) else (16, 20)
    with TemporaryDirectory() as folder:
        found = rows(made(Path(folder) / "t", day, seed=seed), STOCKS, "minute", day)
    clock = [new_york(r) for r in found]
    assert {c.date() for c in clock} == {day}
    minutes = {c.hour * 60 + c.minute for c in clock}
    assert min(minutes) == 4 * 60
    assert max(minutes) == end * 60 - 1
    assert close * 60 in minutes
    busiest = max(len(bars) for bars in by_ticker(found).values())
    assert busiest > 0.97 * (end - 4) * 60, "the busiest symbol trades nearly every minute"


@settings(max_examples=4)
@given(
    seed=st.integers(0, 2**31),
    first=st.integers(0, 3),
    length=st.integers(1, 3),
    stage=st.integers(1, 3),
)
def test_any_part_of_the_range_gives_the_same_bytes(
    seed: int, first: int, length: int, stage: int
) -> None:
    start = date(2025, 6, 9)
    with TemporaryDirectory() as folder:
        for name, begin, end in (
            ("all", start, start + timedelta(days=5)),
            ("part", start + timedelta(days=first), start + timedelta(days=first + length)),
        ):
            out = Path(folder) / name
            simulate(out, start=begin, end=end, symbols=20, seed=seed, stage=stage, truth=False)
        whole, part = digests(Path(folder) / "all"), digests(Path(folder) / "part")
    assert part
    assert part.items() <= whole.items()


def test_another_process_in_another_zone_writes_the_same_bytes(tmp_path: Path) -> None:
    day = date(2025, 3, 10)
    here = digests(made(tmp_path / "here", day))
    code = (
        "from datetime import date; from pathlib import Path;"
        "from ingot.simulator.simulate import simulate;"
        f"simulate(Path({str(tmp_path / 'there')!r}), start=date(2025, 3, 10),"
        "end=date(2025, 3, 11), symbols=20, seed=1, truth=False)"
    )
    environment = {**os.environ, "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "77"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert digests(tmp_path / "there") == here


def test_another_seed_is_another_market(tmp_path: Path) -> None:
    day = date(2025, 3, 10)
    one, two = (digests(made(tmp_path / str(s), day, seed=s)) for s in (1, 2))
    assert one.keys() == two.keys()
    assert not set(one.values()) & set(two.values())


def test_activity_is_heavy_tailed() -> None:
    day = date(2025, 6, 3)
    market = Market(1, 2_000, day, day + timedelta(days=1))
    bars = minute_bars(1, market.roll(market.days[0]), market.days[0])
    counts = np.sort(np.bincount(bars.code))
    # The real day: 1.83 M rows of 11,000 symbols, some in every minute, most in a few dozen.
    assert 130 < len(bars) / 2_000 < 205
    assert np.median(counts) < 100
    assert counts[-1] > 950
    assert counts[-200:].sum() > 0.35 * counts.sum()


@pytest.mark.parametrize("day", [date(2025, 6, 3), date(2026, 3, 3)])
def test_a_file_packs_to_about_the_vendors_fifteen_bytes_a_row(tmp_path: Path, day: date) -> None:
    out = made(tmp_path / "t", day, symbols=1_000)
    (path,) = out.glob(f"{STOCKS}/minute*/**/*.gz")
    per_row = path.stat().st_size / len(rows(out, STOCKS, "minute", day))
    assert 13.0 < per_row < 17.0


micro = st.integers(1, 10**12)


@given(
    volume=st.integers(0, 10**12),
    prices=st.lists(micro, min_size=4, max_size=4),
    modern=st.booleans(),
)
def test_numbers_are_printed_exactly(volume: int, prices: list[int], *, modern: bool) -> None:
    o, c, h, low, v = (np.array([p], dtype=np.int64) for p in (*prices, volume))
    zero = np.zeros(1, dtype=np.int64)
    bars = Bars(("A",), zero, zero, o, c, h, low, v, zero)
    line = row_text(bars, 0, modern=modern)
    printed = [Decimal(x) for x in line.split(",")[1:6]]
    assert printed == [Decimal(x).scaleb(-6) for x in (volume, *prices)]
    assert b"".join(text_chunks(bars, modern=modern)).decode().splitlines()[1] == line


@given(dollars=st.floats(0.0001, 1e6), count=st.integers(0, 50))
def test_moving_by_ticks_stays_on_ticks(dollars: float, count: int) -> None:
    price, steps = on_tick(np.array([dollars])), np.array([count])
    for found in (price, ticks_up(price, steps), ticks_down(price, steps)):
        value = int(found[0])
        assert value > 0
        assert value % (10_000 if value >= 1_000_000 else 100) == 0
    assert ticks_down(price, steps)[0] <= price[0] <= ticks_up(price, steps)[0]


@given(x=st.floats(-8, 8))
def test_our_exponential_is_the_exponential(x: float) -> None:
    found = float(hashing.exp(np.array([x]))[0])
    assert found == pytest.approx(float(np.exp(x)), rel=1e-12)


def test_hashes_are_even_and_do_not_follow_each_other() -> None:
    found = hashing.words(hashing.key("test"), np.arange(200)[:, None], np.arange(500)[None, :])
    assert len(np.unique(found)) == found.size
    first, second = hashing.lane(found, 0).ravel(), hashing.lane(found, 1).ravel()
    assert first.mean() == pytest.approx(0.5, abs=0.005)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.01
    curve = hashing.bell(found).ravel()
    assert (curve.mean(), curve.std()) == pytest.approx((0.0, 1.0), abs=0.01)
