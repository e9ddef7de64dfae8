"""silver.minute_bars and silver.day_bars by hand, on every engine (SEMANTICS 1 and 4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ingot.model.time import FOREVER
from ingot.tables import bronze, silver
from ingot.tables.arrow import arrow_schema
from ingot.transforms.silver import (
    day_bars_quarantine_sql,
    day_bars_sql,
    duplicates_counted_sql,
    minute_bars_quarantine_sql,
    minute_bars_sql,
)
from tests.support.transform_markets import (
    DAYS,
    MINUTES,
    MONDAY,
    Bar,
    Refused,
    at,
    bar,
    bronze_rows,
    known,
    numbered,
    refused_rows,
    rows_of,
    session_rows,
    sessions,
    states,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.engines.transform.base import Engine
    from ingot.tables.input import ArrowRelation, Relation
    from ingot.transforms.version_history import State

TUESDAY = MONDAY + timedelta(days=1)


def inputs(
    bars: Sequence[Bar],
    bounds: ArrowRelation | None = None,
    refused: Sequence[Refused] = (),
) -> dict[str, Relation]:
    return {
        "bars": bronze_rows(numbered(bars)),
        "sessions": bounds or sessions(),
        "refused": refused_rows(refused),
    }


def minutes(
    engine: Engine,
    bars: Sequence[Bar],
    past: Sequence[State] | None = None,
    bounds: ArrowRelation | None = None,
    refused: Sequence[Refused] = (),
) -> list[dict[str, Any]]:
    sql = minute_bars_sql(MINUTES, past or states(1), unique=False)
    return rows_of(engine, sql, inputs(bars, bounds, refused))


def of(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def d(text: str) -> Decimal:
    return Decimal(text)


def test_rows_have_the_contract_s_columns_in_order_and_type(engine: Engine) -> None:
    for past in (states(1), states(1, 2)):
        sql = minute_bars_sql(MINUTES, past, unique=False)
        found = engine.run(sql, inputs([bar("A", "9:30", 1)])).schema
        assert [(f.name, f.type) for f in found] == [
            (f.name, f.type) for f in arrow_schema(silver.MINUTE_BARS)
        ]


def test_a_bar_carries_its_day_session_and_instant(engine: Engine) -> None:
    (row,) = minutes(engine, [bar("NA", "9:30", "10.5", volume="0.25", transactions=7)])
    assert (row["source"], row["dataset"]) == ("massive", "us_stocks_sip/minute_aggs_v1")
    assert (row["symbol"], row["trade_date"], row["session"]) == ("NA", MONDAY, "regular")
    assert row["bar_start"] == datetime(2025, 6, 2, 13, 30, tzinfo=UTC)
    assert row["bar_start_ns"] == at("9:30")
    assert (row["volume"], row["transactions"]) == (d("0.25"), 7)
    assert (row["known_from"], row["known_to"]) == (known(3), FOREVER)
    assert row["stale_refused"] is False


def test_a_rolling_value_looks_back_15_minutes_and_not_15_rows(engine: Engine) -> None:
    bars = [bar("A", "9:30", 10), bar("A", "9:31", 12), bar("A", "9:45", 17), bar("A", "10:00", 20)]
    # 9:45 no longer sees 9:30; 10:00 sees nothing since 9:45
    found = of(minutes(engine, bars), "close_avg_15m", "volume_15m", "rolling_bars")
    assert found == [(10, 100, 1), (11, 200, 2), (d("14.5"), 200, 2), (20, 100, 1)]


def test_rolling_values_reach_over_sessions_but_not_over_symbols(engine: Engine) -> None:
    bars = [
        bar("A", "9:29", 10, high=11, low=9),
        bar("A", "9:30", 20, high=25, low=19),
        bar("B", "9:30", 50),
    ]
    found = of(minutes(engine, bars), "symbol", "session", "high_15m", "low_15m", "rolling_bars")
    assert found == [
        *(("A", "pre", 11, 9, 1), ("A", "regular", 25, 9, 2)),
        ("B", "regular", 50, 50, 1),
    ]


def test_averages_round_half_up_at_six_decimals(engine: Engine) -> None:
    bars = [
        *(bar("A", "9:30", "0.000001"), bar("A", "9:31", "0.000002")),  # 1.5 millionths
        *(bar("B", f"9:3{n}", "0.000001") for n in range(2)),
        bar("B", "9:32", "0.000002"),  # 4/3 millionths
        *(bar("C", "9:30", "99999999.999999"), bar("C", "9:31", "99999999.999998")),
    ]
    found = of(minutes(engine, bars), "symbol", "close_avg_15m")
    assert found[1] == ("A", d("0.000002"))
    assert found[4] == ("B", d("0.000001"))
    assert found[6] == ("C", d("99999999.999999"))


def test_sessions_are_rows_so_an_early_close_moves_the_bound(engine: Engine) -> None:
    bars = [bar("A", clock, 10) for clock in ("12:59", "13:00", "15:59")]
    whole, half = (
        of(minutes(engine, bars, bounds=b), "session") for b in (None, sessions(close="13:00"))
    )
    assert whole == [("regular",)] * 3
    assert half == [("regular",), ("post",), ("post",)]


def test_a_bar_in_no_session_keeps_its_file_s_date_and_is_closed(engine: Engine) -> None:
    found = minutes(engine, [bar("A", "3:59", 10), bar("A", "20:00", 10)])
    assert of(found, "session", "trade_date") == [("closed", MONDAY)] * 2


def test_an_evening_bar_belongs_to_the_next_trade_date(engine: Engine) -> None:
    bounds = session_rows(
        [
            (MONDAY, "post", at("16:00"), at("20:00")),
            (TUESDAY, "overnight", at("20:00"), at("4:00", TUESDAY)),
        ]
    )
    bars = [bar("A", "19:59", 10), bar("A", "20:00", 11)]
    assert of(minutes(engine, bars, bounds=bounds), "close") == [(10,)]
    tuesday = replace(MINUTES, start=TUESDAY, end=TUESDAY + timedelta(days=1))
    sql = minute_bars_sql(tuesday, states(1), unique=True)
    found = of(rows_of(engine, sql, inputs(bars, bounds)), "close", "session", "rolling_bars")
    assert found == [(11, "overnight", 1)]


def test_symbols_keep_their_case_and_words_stay_words(engine: Engine) -> None:
    bars = [bar(s, "9:30", 1) for s in ("TRUE", "NULL", "NA", "BRKa", "BRKA", "nan")]
    found = [row["symbol"] for row in minutes(engine, bars)]
    assert found == ["BRKA", "BRKa", "NA", "NULL", "TRUE", "nan"]


def test_v1_v2_v1_gives_back_the_first_values_as_a_new_version(engine: Engine) -> None:
    bars = [
        *(bar("A", "9:30", 10, landing=1), bar("B", "9:30", 5, landing=1)),
        *(bar("A", "9:30", 11, landing=2), bar("B", "9:30", 5, landing=2)),
        *(bar("A", "9:30", 10, landing=3), bar("B", "9:30", 5, landing=3)),
    ]
    found = of(minutes(engine, bars, states(1, 2, 3)), "symbol", "close", "known_from", "known_to")
    assert found == [
        ("A", 10, known(3), known(4)),
        ("A", 11, known(4), known(5)),
        ("A", 10, known(5), FOREVER),
        ("B", 5, known(3), FOREVER),
    ]


def test_a_bar_that_vanishes_and_returns_leaves_a_gap(engine: Engine) -> None:
    bars = [bar("A", "9:30", 10, landing=n) for n in (1, 3)] + [bar("B", "9:30", 1, landing=2)]
    found = of(minutes(engine, bars, states(1, 2, 3)), "symbol", "known_from", "known_to")
    assert found == [
        ("A", known(3), known(4)),
        ("A", known(5), FOREVER),
        ("B", known(4), known(5)),
    ]


def test_a_corrected_bar_makes_new_versions_of_the_windows_that_hold_it(engine: Engine) -> None:
    def day(landing: int, first: int) -> list[Bar]:
        clocks = ("9:30", "9:44", "9:45")
        closes = (first, 20, 30)
        return [bar("A", c, p, landing=landing) for c, p in zip(clocks, closes, strict=True)]

    found = of(
        minutes(engine, [*day(1, 10), *day(2, 12)], states(1, 2)),
        *("bar_start_ns", "close", "close_avg_15m", "known_from", "known_to"),
    )
    assert found == [
        (at("9:30"), 10, 10, known(3), known(4)),
        (at("9:30"), 12, 12, known(4), FOREVER),
        (at("9:44"), 20, 15, known(3), known(4)),
        (at("9:44"), 20, 16, known(4), FOREVER),
        (at("9:45"), 30, 25, known(3), FOREVER),
    ]


@pytest.mark.parametrize("layer", ["bronze", "silver"])
def test_a_refused_row_keeps_the_row_before_and_says_so(engine: Engine, layer: str) -> None:
    bad = [] if layer == "bronze" else [bar("A", "9:31", 99, landing=n, high=1) for n in (2, 3)]
    refused = [(n, "A", at("9:31")) for n in (2, 3)] if layer == "bronze" else []
    bars = [
        *(bar("A", "9:30", 10, landing=n) for n in (1, 2, 3, 4)),
        *(bar("A", "9:31", 20, landing=1), *bad, bar("A", "9:31", 30, landing=4)),
    ]
    found = minutes(engine, bars, states(1, 2, 3, 4), refused=refused)
    assert of(found, "close", "close_avg_15m", "stale_refused", "known_from", "known_to") == [
        (10, 10, False, known(3), FOREVER),
        (20, 15, False, known(3), known(4)),
        (20, 15, True, known(4), known(6)),  # word for word, over both states that refuse it
        (30, 20, False, known(6), FOREVER),
    ]


ALL_OF_IT = (2, "A", at("9:31"))


@pytest.mark.parametrize(
    "bad",
    [
        ALL_OF_IT,
        (2, "A", None),
        (2, None, at("9:31")),
        (2, None, None),
        bar("A", "9:31", 99, landing=2, high=1),
        bar("A", "9:31", 20, landing=2, day=TUESDAY),  # its start is another day's
        replace(bar("A", "9:31", 20, landing=2), start_ns=at("9:31") + 1),  # or none of a minute
    ],
    ids=str,
)
def test_a_refused_row_is_no_deletion_for_the_windows_around_it(
    engine: Engine, bad: Refused | Bar
) -> None:
    bars = [
        *(bar("A", "9:30", 10, landing=n) for n in (1, 2)),
        *(bar("A", "9:31", 20), *([bad] if isinstance(bad, Bar) else [])),
        *(bar("A", "9:32", 40, landing=n) for n in (1, 2)),
        *(bar("A", "9:46", 60, landing=n) for n in (1, 2)),
    ]
    refused = [] if isinstance(bad, Bar) else [bad]
    found = minutes(engine, bars, states(1, 2), refused=refused)
    # No window changes: (10 + 20 + 40) / 3, and 9:46 holds 9:32 and itself.
    assert of(found, "close", "close_avg_15m", "volume_15m", "stale_refused", "known_to") == [
        (10, 10, 100, False, FOREVER),
        (20, 15, 200, False, known(4)),
        (20, 15, 200, True, FOREVER),
        (40, d("23.333333"), 300, False, FOREVER),
        (60, 50, 200, False, FOREVER),
    ]


@pytest.mark.parametrize("bad", [(2, "B", None), (2, "A", at("9:33")), (2, None, at("9:33"))])
def test_a_refused_row_that_cannot_be_the_bar_does_not_keep_it(
    engine: Engine, bad: Refused
) -> None:
    bars = [*(bar("A", "9:30", 10, landing=n) for n in (1, 2)), bar("A", "9:31", 20)]
    found = minutes(engine, bars, states(1, 2), refused=[bad])
    assert of(found, "close", "stale_refused", "known_to") == [
        (10, False, FOREVER),
        (20, False, known(4)),
    ]


def test_a_kept_bar_s_own_window_holds_what_was_corrected_around_it(engine: Engine) -> None:
    bars = [bar("A", "9:30", 10), bar("A", "9:31", 20), bar("A", "9:30", 30, landing=2)]
    found = minutes(engine, bars, states(1, 2), refused=[ALL_OF_IT])
    assert of(found, "close", "close_avg_15m", "stale_refused", "known_from") == [
        (10, 10, False, known(3)),
        (30, 30, False, known(4)),
        (20, 15, False, known(3)),
        (20, 25, True, known(4)),
    ]


def test_a_refused_row_of_one_file_does_not_keep_what_another_file_withdrew(
    engine: Engine,
) -> None:
    sunday = MONDAY - timedelta(days=1)
    bounds = session_rows([(MONDAY, "overnight", at("20:00", sunday), at("16:00"))])
    bars = [
        bar("A", "20:00", 10, day=sunday, filed=sunday, landing=1),
        *(bar("A", "9:30", 20, landing=2), bar("A", "9:31", 30, landing=2)),
        bar("A", "9:30", 20, landing=3),
    ]
    relations = inputs(bars, bounds) | {"refused": refused_rows([(1, None, None)], filed=sunday)}
    sql = minute_bars_sql(MINUTES, states((1, 2), (1, 3)), unique=False)
    found = rows_of(engine, sql, relations)
    assert of(found, "close", "stale_refused", "known_to")[-1] == (30, False, known(4))


def test_a_row_refused_with_nothing_before_it_is_not_there(engine: Engine) -> None:
    bars = [bar("A", "9:30", 10), bar("A", "9:30", 11, landing=2)]
    refused = [(1, "B", at("9:30")), (2, "B", at("9:30"))]
    found = minutes(engine, bars, states(1, 2), refused=refused)
    assert of(found, "symbol", "close") == [("A", 10), ("A", 11)]


def test_a_good_line_beside_a_bad_one_of_the_same_key_is_no_refusal(engine: Engine) -> None:
    bars = [
        *(bar("A", "9:30", 10), bar("A", "9:30", 11, landing=2)),
        bar("A", "9:30", 12, landing=2, volume=-1),
    ]
    found = of(minutes(engine, bars, states(1, 2)), "close", "stale_refused")
    assert found == [(10, False), (11, False)]


def test_of_conflicting_lines_transactions_then_volume_then_row_decide(engine: Engine) -> None:
    bars = [
        *(bar("A", "9:30", 1, transactions=2), bar("A", "9:30", 2, transactions=3)),
        *(bar("B", "9:30", 1, volume="7.5"), bar("B", "9:30", 2, volume="7.25")),
        *(bar("C", "9:30", 1), bar("C", "9:30", 2)),
        *(bar("D", "9:30", 4), bar("D", "9:30", 4)),
    ]
    assert of(minutes(engine, bars), "symbol", "close") == [("A", 2), ("B", 1), ("C", 2), ("D", 4)]
    sql = minute_bars_quarantine_sql(MINUTES, states(1), unique=False)
    refused = rows_of(engine, sql, inputs(bars))
    assert of(refused, "row_number", "rule", "symbol") == [
        (1, "duplicate_conflict", "A"),
        (4, "duplicate_conflict", "B"),
        (5, "duplicate_conflict", "C"),
    ]
    counted = rows_of(engine, duplicates_counted_sql(silver.MINUTE_BARS, states(1)), inputs(bars))
    assert of(counted, "landing_id", "duplicates") == [(1, 1)]


def test_rows_that_break_a_check_are_quarantined_by_the_first_rule(engine: Engine) -> None:
    bars = [
        bar("A", "9:30", "10.5", high=10, low=9, open=9),
        bar("B", "9:30", 10, low="10.1"),
        bar("C", "9:30", 0),
        bar("D", "9:30", 10, volume="-0.5"),
        bar("E", "9:30", 10, transactions=-1),
        bar("", "9:30", 10),
        bar("G", "9:30", 100_000_000),
        bar("H", "9:30", 10, volume=500_000_000),
        bar("I", "9:30", 10),
    ]
    for unique in (True, False):
        sql = minute_bars_quarantine_sql(MINUTES, states(1), unique=unique)
        refused = rows_of(engine, sql, inputs(bars))
        assert of(refused, "row_number", "rule") == [
            (1, "high_is_highest"),
            (2, "high_is_highest"),
            (3, "price_is_positive"),
            (4, "volume_is_not_negative"),
            (5, "transactions_is_not_negative"),
            (6, "symbol_is_not_empty"),
            (7, "price_is_below_100_million"),
            (8, "volume_is_below_500_million"),
        ]
    assert refused[0]["raw"] == f"A,100,9,10.5,10,9,{at('9:30')},1"
    assert refused[0]["bar_start_ns"] == at("9:30")
    assert of(minutes(engine, bars), "symbol") == [("I",)]


def test_a_row_is_refused_on_its_own_trade_date_only(engine: Engine) -> None:
    bars = [bar("A", "9:30", 0, day=TUESDAY, filed=TUESDAY, landing=2), bar("B", "3:00", 0)]
    sql = minute_bars_quarantine_sql(MINUTES, states((1, 2)), unique=True)
    refused = rows_of(engine, sql, inputs(bars, sessions(MONDAY, TUESDAY)))
    assert of(refused, "symbol") == [("B",)]


@pytest.mark.parametrize("unique", [True, False])
def test_a_bar_of_another_date_than_its_file_s_is_quarantined_with_the_file(
    engine: Engine, unique: bool
) -> None:
    bounds = sessions(MONDAY, TUESDAY)
    bars = [
        bar("A", "9:30", 10),
        bar("A", "9:30", 11, day=TUESDAY),
        bar("B", "9:30", 0, day=TUESDAY),
    ]
    refused = {}
    for day in (MONDAY, TUESDAY):
        scope = replace(MINUTES, start=day, end=day + timedelta(days=1))
        sql = minute_bars_quarantine_sql(scope, states(1), unique=unique)
        refused[day] = of(rows_of(engine, sql, inputs(bars, bounds)), "row_number", "rule")
        history = minute_bars_sql(scope, states(1), unique=unique)
        assert len(rows_of(engine, history, inputs(bars, bounds))) == (day == MONDAY)
    assert refused[MONDAY] == [(2, "start_is_on_file_date"), (3, "price_is_positive")]
    assert refused[TUESDAY] == []


def day_bars(engine: Engine, bars: Sequence[Bar], past: Sequence[State]) -> list[dict[str, Any]]:
    relations: dict[str, Relation] = {
        "bars": bronze_rows(numbered(bars), bronze.DAY_BARS),
        "refused": refused_rows(),
    }
    refused = rows_of(engine, day_bars_quarantine_sql(DAYS, past, unique=False), relations)
    assert of(refused, "row_number", "rule") == [
        (2, "duplicate_conflict"),
        (1, "price_is_positive"),
        (3, "start_is_on_file_date"),
    ]
    return rows_of(engine, day_bars_sql(DAYS, past, unique=False), relations)


def test_a_day_bar_has_its_file_s_date_one_row_per_symbol_and_a_history(engine: Engine) -> None:
    bars = [
        *(bar("A", "0:00", 10), bar("B", "0:00", 5), bar("B", "0:00", 6, transactions=2)),
        *(bar("A", "0:00", 0, landing=2), bar("B", "0:00", 7, landing=2)),
        bar("C", "0:00", 7, landing=2, day=TUESDAY),
    ]
    found = day_bars(engine, bars, states(1, 2))
    assert of(found, "symbol", "close", "stale_refused", "known_from", "known_to") == [
        ("A", 10, False, known(3), known(4)),
        ("A", 10, True, known(4), FOREVER),
        ("B", 6, False, known(3), known(4)),
        ("B", 7, False, known(4), FOREVER),
    ]
    assert {row["trade_date"] for row in found} == {date(2025, 6, 2)}
    sql = day_bars_sql(DAYS, states(1), unique=True)
    schema = engine.run(sql, {"bars": bronze_rows([], bronze.DAY_BARS)}).schema
    assert schema.types == arrow_schema(silver.DAY_BARS).types
