"""gold.daily_bars and gold.performance by hand, on every engine (SEMANTICS 4 and 7)."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from ingot.model.time import FOREVER
from ingot.model.unit import Scope
from ingot.tables import gold, silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.input import ArrowRelation
from ingot.transforms.gold import daily_bars_sql
from ingot.transforms.performance import performance_sql
from ingot.transforms.silver import minute_bars_sql
from tests.support.transform_markets import (
    MINUTES,
    MONDAY,
    Bar,
    acting_rows,
    bar,
    bronze_rows,
    calendar_rows,
    closes_schema,
    holder_rows,
    known,
    numbered,
    of_rows,
    refused_rows,
    rows_of,
    sessions,
    states,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from ingot.engines.transform.base import Engine
    from ingot.tables.input import Relation


def daily(
    engine: Engine, bars: Sequence[Bar], *landings: int, bounds: ArrowRelation | None = None
) -> list[dict[str, Any]]:
    bounds = bounds or sessions()
    bronze = bronze_rows(numbered(bars))
    inputs: dict[str, Relation] = {"bars": bronze, "sessions": bounds, "refused": refused_rows()}
    sql = minute_bars_sql(MINUTES, states(*(landings or (1,))), unique=False)
    minutes = ArrowRelation(engine.run(sql, inputs).read_all())
    return rows_of(engine, daily_bars_sql(MINUTES), {"minutes": minutes, "sessions": bounds})


def test_a_day_is_made_of_its_regular_bars_and_names_the_rest(engine: Engine) -> None:
    bars = [
        bar("A", "9:29", 90, high=200, low=1, volume=5, transactions=3),
        bar("A", "9:30", 11, open=10, high=12, low=9, volume=100, transactions=4),
        bar("A", "15:59", 14, open=13, high=15, low=13, volume="0.5", transactions=2),
        bar("A", "16:00", 16, open="15.5", high=16, low=15, volume=1000, transactions=1),
        bar("A", "19:59", 80, volume=7),
        bar("A", "3:59", 70, volume=9),
    ]
    (row,) = daily(engine, bars)
    # ((12 + 9 + 11) x 100 + (15 + 13 + 14) x 0.5) / 3 / 100.5 = 10.683250...
    typical = Fraction(32 * 100 + 21, 3) / Fraction(201, 2)
    assert row == {
        "source": "massive",
        "dataset": "us_stocks_sip/minute_aggs_v1",
        "symbol": "A",
        "trade_date": MONDAY,
        "open": 10,
        "high": 15,
        "low": 9,
        "close": 14,
        "volume": Decimal("100.5"),
        "transactions": 6,
        "bar_count": 2,
        "pre_volume": 5,
        "post_volume": 1007,
        "total_volume": Decimal("1121.5"),
        "close_bar_open": Decimal("15.5"),
        "close_bar_close": 16,
        "close_bar_volume": 1000,
        "vwap_typical": Decimal(round(typical * 10**6)) / 10**6,
        "known_from": known(3),
        "known_to": FOREVER,
    }


def test_on_an_early_close_the_close_bar_starts_at_the_early_close(engine: Engine) -> None:
    bars = [bar("A", clock, n) for n, clock in enumerate(("12:59", "13:00", "16:00"), start=1)]
    (row,) = daily(engine, bars, bounds=sessions(close="13:00"))
    assert (row["close"], row["close_bar_close"], row["post_volume"]) == (1, 2, 200)


def test_a_day_without_regular_bars_has_no_prices_and_no_vwap(engine: Engine) -> None:
    (row,) = daily(engine, [bar("A", "8:00", 5)])
    assert [row[n] for n in ("open", "high", "low", "close", "vwap_typical")] == [None] * 5
    assert [row[n] for n in ("volume", "bar_count", "pre_volume")] == [0, 0, 100]
    assert row["close_bar_volume"] is None


def test_vwap_is_null_at_volume_zero_and_rounds_half_up(engine: Engine) -> None:
    tiny = Decimal("0.000001")
    bars = [
        bar("A", "9:30", 5, volume=0),
        *(bar("B", "9:30", tiny, volume=1), bar("B", "9:31", 2 * tiny, volume=1)),  # 1.5 units
        bar("C", "9:30", "99999999.999999", volume="499999999.999999"),
    ]
    found = {row["symbol"]: row["vwap_typical"] for row in daily(engine, bars)}
    assert found == {"A": None, "B": 2 * tiny, "C": Decimal("99999999.999999")}


def test_a_corrected_minute_makes_a_new_version_of_its_own_day_only(engine: Engine) -> None:
    bars = [
        *(bar("A", "9:30", 10), bar("A", "9:31", 11), bar("B", "9:30", 5), bar("C", "9:30", 1)),
        *(bar("A", "9:30", 10, landing=2), bar("A", "9:31", 12, landing=2)),
        *(bar("B", "9:30", 5, landing=2), bar("C", "9:30", 1, landing=3)),
        *(bar("A", "9:30", 10, landing=3), bar("A", "9:31", 12, landing=3)),
        bar("B", "9:30", 5, landing=3),
    ]
    found = [
        (r["symbol"], r["close"], r["bar_count"], r["known_from"], r["known_to"])
        for r in daily(engine, bars, 1, 2, 3)
    ]
    assert found == [
        ("A", 11, 2, known(3), known(4)),
        ("A", 12, 2, known(4), FOREVER),
        ("B", 5, 1, known(3), FOREVER),
        ("C", 1, 1, known(3), known(4)),
        ("C", 1, 1, known(5), FOREVER),
    ]


def test_daily_rows_have_the_contract_s_columns(engine: Engine) -> None:
    minutes = ArrowRelation(of_rows(arrow_schema(silver.MINUTE_BARS), []))
    sql = daily_bars_sql(MINUTES)
    schema = engine.run(sql, {"minutes": minutes, "sessions": sessions()}).schema
    expected = arrow_schema(gold.DAILY_BARS)
    assert [(f.name, f.type) for f in schema] == [(f.name, f.type) for f in expected]


FIRST = date(2024, 1, 1)
MARKET = Scope("massive", "us_stocks_sip", FIRST, FIRST + timedelta(days=400))


def performance(
    engine: Engine,
    closes: Sequence[str | int | None],
    *,
    last: int = 1,
    minutes: Sequence[str | int | None] = (),
) -> list[dict[str, Any]]:
    """Return the last rows of a symbol with these closes on consecutive days."""
    days = [FIRST + timedelta(days=n) for n in range(max(len(closes), len(minutes)))]
    inputs: dict[str, Relation] = {"calendar": calendar_rows(days), "holders": holder_rows()}
    for name, values in (("day_bars", closes), ("daily_bars", minutes)):
        inputs[name] = ArrowRelation(_closes(days, values))
    start = days[-last]
    scope = Scope(MARKET.source, MARKET.dataset, start, days[-1] + timedelta(days=1))
    return rows_of(engine, performance_sql(scope), inputs)


def _closes(days: Sequence[date], values: Sequence[str | int | None]) -> pa.Table:
    return of_rows(
        closes_schema(),
        [
            ("massive", "x", "A", day, Decimal(close), known(3), FOREVER)
            for day, close in zip(days, values, strict=False)
            if close is not None
        ],
    )


def test_alternating_returns_have_the_deviation_worked_out_by_hand(engine: Engine) -> None:
    closes = [100 if n % 2 == 0 else 110 for n in range(31)]
    (row,) = performance(engine, closes)
    up, down = math.log(1.1), -math.log(1.1)
    assert up + down == 0  # so the mean is 0 and the variance 30 up^2 / 29
    assert row["volatility_30d"] == pytest.approx(up * math.sqrt(30 / 29 * 252), rel=1e-12)
    mean = (0.1 - 1 / 11) / 2
    deviation = (0.1 + 1 / 11) / 2 * math.sqrt(30 / 29)
    assert row["sharpe_30d"] == pytest.approx(mean / deviation * math.sqrt(252), rel=1e-12)
    assert (row["return_30d"], row["return_90d"], row["volatility_90d"]) == (0, None, None)
    assert row["return_1d"] == pytest.approx(-1 / 11, rel=1e-14)
    assert row["observations_90d"] == 30
    assert (row["basis"], row["adjusted"], row["dataset"]) == ("raw", False, "us_stocks_sip")


def test_equal_closes_have_no_volatility_and_no_sharpe(engine: Engine) -> None:
    (row,) = performance(engine, [100] * 100)
    assert (row["volatility_30d"], row["volatility_90d"], row["drawdown"]) == (0, 0, 0)
    assert (row["sharpe_30d"], row["sharpe_90d"]) == (None, None)


def test_a_pause_carries_the_close_and_is_no_observation(engine: Engine) -> None:
    closes = [100, *([None] * 9), *([100] * 20), 150]
    (row,) = performance(engine, closes)
    assert row["return_30d"] == 0.5
    assert row["observations_90d"] == 21
    paused = [100, *([None] * 2), *([200] * 29), 300]
    (anchored,) = performance(engine, paused)
    assert anchored["return_30d"] == 2.0  # at the anchor, session 2, the close of session 0 stands


def test_without_two_thirds_of_the_observations_there_is_no_deviation(engine: Engine) -> None:
    for traded, has_one in ((20, True), (19, False)):
        closes = [100 + n % 3 if n >= 30 - traded else None for n in range(31)]
        (row,) = performance(engine, closes)
        assert (row["volatility_30d"] is not None) is has_one


def test_a_jump_above_forty_percent_is_suspect(engine: Engine) -> None:
    rows = performance(engine, [100, 140, 84, 50, 20], last=4)
    assert [r["suspect_action"] for r in rows] == [False, False, True, True]


def test_year_to_date_starts_at_the_last_close_of_the_year_before(engine: Engine) -> None:
    closes = [*([100] * 364), 120, None, None, 150]  # 2024 has 366 days
    (row,) = performance(engine, closes)
    assert (row["trade_date"], row["return_ytd"]) == (date(2025, 1, 2), 0.25)
    (young,) = performance(engine, [100, 110])
    assert young["return_ytd"] is None


def test_a_drawdown_looks_at_252_sessions(engine: Engine) -> None:
    for age, drawdown in ((251, -0.5), (252, 0.0)):
        closes = [100] * 2 + [200] + [100] * age
        (row,) = performance(engine, closes)
        assert row["drawdown"] == drawdown


def test_a_day_without_a_vendor_s_bar_is_measured_on_minutes_alone(engine: Engine) -> None:
    rows = performance(engine, [100, 100, None], last=2, minutes=[200, 300, 330])
    found = [(r["close"], r["close_source"], round(r["return_1d"], 12)) for r in rows]
    assert found == [(100, "silver.day_bars", 0), (330, "gold.daily_bars", 0.1)]


def test_a_window_begins_at_most_280_sessions_before(engine: Engine) -> None:
    for count, first in ((281, 0), (283, 2)):
        (row,) = performance(engine, [100] * count)
        assert row["history_from"] == FIRST + timedelta(days=first)


HANDED = FIRST + timedelta(days=3)
LEARNED = known(5)


HANDED_OVER: dict[tuple[str, str], list[dict[str, Any]]] = {}  # Spark takes minutes for one


def handed_over(engine: Engine, basis: str) -> list[dict[str, Any]]:
    """Return the rows of X, which trades as A and then as B, and of Y, which follows it as A.

    It is learned later; at first all bars of A are one company's. Y then pays too much.
    """
    if (engine.name, basis) in HANDED_OVER:
        return HANDED_OVER[engine.name, basis]
    days = [FIRST + timedelta(days=n) for n in range(6)]
    closes = [("A", day, 100) for day in days[:3]]
    closes += [("B", day, 110) for day in days[3:]] + [("A", day, 50) for day in days[3:]]
    rows = [("massive", "x", s, day, Decimal(c), known(3), FOREVER) for s, day, c in closes]
    ever, end = known(1), days[-1] + timedelta(days=1)
    holders = [(s, FIRST, end, s, ever, LEARNED) for s in ("A", "B")]
    holders += [
        ("A", FIRST, HANDED, "X", LEARNED, FOREVER),
        ("A", HANDED, end, "Y", LEARNED, FOREVER),
        ("B", FIRST, HANDED, "B before", LEARNED, FOREVER),
        ("B", HANDED, end, "X", LEARNED, FOREVER),
    ]
    acting = [
        ("X", HANDED, 2.0, Decimal(5), 0, 0, ever, FOREVER),
        ("Y", days[4], 1.0, Decimal(0), 0, 2, ever, FOREVER),
    ]
    inputs: dict[str, Relation] = {
        "calendar": calendar_rows(days),
        "day_bars": ArrowRelation(of_rows(closes_schema(), rows)),
        "daily_bars": ArrowRelation(_closes([], [])),
        "holders": holder_rows(holders),
        "actions": acting_rows(acting),
    }
    scope = Scope(MARKET.source, MARKET.dataset, HANDED, end)
    found = rows_of(engine, performance_sql(scope, basis=basis), inputs)
    return HANDED_OVER.setdefault((engine.name, basis), found)


@pytest.mark.parametrize(
    ("basis", "r"), [("raw", 0.1), ("split", 1.2), ("total_return", 115 * 2 / 100 - 1)]
)
def test_a_window_follows_its_instrument_from_when_that_is_known(
    engine: Engine, basis: str, r: float
) -> None:
    rows = [row for row in handed_over(engine, basis) if row["trade_date"] == HANDED]
    found = [(row["symbol"], row["known_from"], row["history_from"]) for row in rows]
    assert found == [
        ("A", known(3), FIRST),
        ("A", LEARNED, HANDED),
        ("B", known(3), HANDED),
        ("B", LEARNED, FIRST),
    ]
    returns = [row["return_1d"] for row in rows]
    assert returns == [-0.5, None, None, pytest.approx(r, rel=1e-12)]


def test_a_session_with_a_large_unapplied_dividend_is_suspect(engine: Engine) -> None:
    for basis in ("split", "total_return"):  # as the test before
        rows = handed_over(engine, basis)
        suspect = {(row["symbol"], row["trade_date"]) for row in rows if row["suspect_action"]}
        paid = {("A", FIRST + timedelta(days=4))} if basis == "total_return" else set()
        assert suspect == paid


def test_performance_rows_have_the_contract_s_columns(engine: Engine) -> None:
    inputs: dict[str, Relation] = {
        "calendar": calendar_rows([FIRST]),
        "holders": holder_rows(),
        "day_bars": ArrowRelation(_closes([], [])),
        "daily_bars": ArrowRelation(_closes([], [])),
    }
    schema = engine.run(performance_sql(MARKET), inputs).schema
    expected = arrow_schema(gold.PERFORMANCE)
    assert [(f.name, f.type) for f in schema] == [(f.name, f.type) for f in expected]


def test_the_vwap_of_a_day_of_fractions_is_exact(engine: Engine) -> None:
    bars = [
        bar("A", f"10:{n:02}", f"{1 + n * 0.0137:.6f}", volume=f"{n * 7 % 11}.{n:06}")
        for n in range(60)
    ]
    (row,) = daily(engine, bars)
    top = sum((Fraction(b.volume) * Fraction(b.close) for b in bars), Fraction(0))
    exact = top / sum((Fraction(b.volume) for b in bars), Fraction(0))
    rounded = (Decimal(exact.numerator) / exact.denominator).quantize(
        Decimal("0.000001"), ROUND_HALF_UP
    )
    assert row["vwap_typical"] == rounded
