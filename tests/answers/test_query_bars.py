"""Bars by hand: buckets, sessions, daylight saving, early closes, filling, sources."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from ingot.engines.limits import Limits
from ingot.engines.trusted_queries import Reads
from ingot.errors import QueryError
from ingot.model.calendar import Session
from ingot.model.time import AsOf, Interval
from ingot.query.requests.as_known import bind
from ingot.query.requests.bars import BarsRequest, Sources, plan_bars
from ingot.query.result.answer import sources_in, to_wide
from ingot.tables.arrow import arrow_schema
from ingot.tables.gold import DAILY_BARS
from ingot.tables.input import ArrowRelation
from ingot.tables.silver import DAY_BARS, MINUTE_BARS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.tables.contract import Table

NEW_YORK = ZoneInfo("America/New_York")
KNOWN = datetime(2024, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
NOW = AsOf(datetime(2026, 1, 1, tzinfo=UTC), is_now=True)
MONDAY = date(2025, 6, 2)
TUESDAY = date(2025, 6, 3)
DATASET = "us_stocks_sip/minute_aggs_v1"
MASSIVE = Sources(("massive",))


def at(day: date, clock: str) -> datetime:
    """Return the instant at which New York shows `clock` (HH:MM) on `day`."""
    hour, minute = map(int, clock.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK).astimezone(UTC)


def ns(instant: datetime) -> int:
    return int(instant.timestamp()) * 10**9


def minute(
    symbol: str, day: date, clock: str, prices: str, volume: str = "100", **more: Any
) -> dict[str, Any]:
    """Return one minute bar; `prices` is open high low close."""
    start = at(day, clock)
    session = "regular" if "09:30" <= clock < "16:00" else "pre" if clock < "09:30" else "post"
    return bar(symbol, day, prices, volume) | {
        "session": session,
        "bar_start": start,
        "bar_start_ns": ns(start),
        "close_avg_15m": Decimal(1),
        "volume_15m": Decimal(1),
        "high_15m": Decimal(1),
        "low_15m": Decimal(1),
        "rolling_bars": 1,
        **more,
    }


def bar(symbol: str, day: date, prices: str, volume: str = "100") -> dict[str, Any]:
    values = dict(zip(("open", "high", "low", "close"), map(Decimal, prices.split()), strict=True))
    return values | {
        "source": "massive",
        "dataset": DATASET,
        "symbol": symbol,
        "trade_date": day,
        "volume": Decimal(volume),
        "transactions": 7,
        "stale_refused": False,
        "known_from": KNOWN,
        "known_to": FOREVER,
    }


def sessions(day: date, *, close: str = "16:00") -> list[Session]:
    bounds = {"pre": ("04:00", "09:30"), "regular": ("09:30", close), "post": (close, "20:00")}
    return [
        Session("XNYS", day, name, ns(at(day, start)), ns(at(day, end)))
        for name, (start, end) in bounds.items()
    ]


@pytest.fixture(scope="module")
def reads() -> Iterator[Reads]:
    with Reads(Limits(memory_mb=200, threads=2, timeout_s=20, max_rows=100_000)) as reads:
        yield reads


def rows_of(table: Table, rows: list[dict[str, Any]]) -> ArrowRelation:
    return ArrowRelation(pa.Table.from_pylist(rows, schema=arrow_schema(table)))


def ask(
    reads: Reads,
    rows: list[dict[str, Any]],
    *,
    calendar: list[Session] | None = None,
    sources: Sources = MASSIVE,
    symbols: tuple[str, ...] = (),
    **request: Any,
) -> pa.Table:
    words = {"start": MONDAY, "end": MONDAY + timedelta(days=7), **request}
    known = [s for i in range(7) for s in sessions(MONDAY + timedelta(days=i))]
    plan = plan_bars(
        BarsRequest(symbols, **words),
        sessions=known if calendar is None else calendar,
        sources=sources,
    )
    view = bind(plan.table.name, NOW, rows_of(plan.table, rows)).narrowed(*plan.conditions)
    return reads.run(plan.sql, {view.name: view})


def clock(table: pa.Table) -> list[str]:
    """Return the New York clock of each bar_start."""
    starts: list[Any] = table["bar_start"].to_pylist()
    return [start.astimezone(NEW_YORK).strftime("%H:%M") for start in starts]


FIRST_HOUR = [
    minute("A", MONDAY, "09:29", "9 9 9 9"),
    minute("A", MONDAY, "09:30", "10 12 9.5 11", "100"),
    minute("A", MONDAY, "09:34", "11 15 10.5 14", "200.5"),
    minute("A", MONDAY, "09:35", "14 14.5 8 9", "50"),
    minute("A", MONDAY, "10:29", "9 9.5 8.5 9.25", "1"),
    minute("A", MONDAY, "10:30", "20 20 20 20", "3"),
    minute("A", MONDAY, "16:00", "30 31 29 30", "9"),
]


def test_a_five_minute_bar_is_first_highest_lowest_last_and_sums(reads: Reads) -> None:
    found = ask(reads, FIRST_HOUR, interval="5m", session="regular")
    assert clock(found) == ["09:30", "09:35", "10:25", "10:30"]
    assert found.slice(0, 1).to_pylist() == [
        {
            "symbol": "A",
            "trade_date": MONDAY,
            "session": "regular",
            "bar_start": at(MONDAY, "09:30"),
            "open": Decimal(10),
            "high": Decimal(15),
            "low": Decimal("9.5"),
            "close": Decimal(14),
            "volume": Decimal("300.5"),
            "transactions": 14,
            "bars": 2,
            "source": "massive",
        }
    ]


def test_hours_of_a_session_begin_at_its_start(reads: Reads) -> None:
    found = ask(reads, FIRST_HOUR, interval="1h", session="regular")
    assert clock(found) == ["09:30", "10:30"]
    assert found["bars"].to_pylist() == [4, 1]
    assert found["close"].to_pylist() == [Decimal("9.25"), Decimal(20)]


def test_hours_without_a_session_are_those_of_the_new_york_clock(reads: Reads) -> None:
    found = ask(reads, FIRST_HOUR, interval="1h")
    assert clock(found) == ["09:00", "10:00", "16:00"]
    assert found["bars"].to_pylist() == [4, 2, 1]
    assert "session" not in found.column_names


@pytest.mark.parametrize(
    ("day", "utc_hour"),
    [
        (date(2025, 3, 7), 14),  # Friday before clocks go forward
        (date(2025, 3, 10), 13),  # Monday after
        (date(2025, 10, 31), 13),  # Friday before clocks go back
        (date(2025, 11, 3), 14),  # Monday after
    ],
)
def test_buckets_follow_the_clock_over_daylight_saving(
    reads: Reads, day: date, utc_hour: int
) -> None:
    rows = [minute("A", day, "09:45", "1 1 1 1"), minute("A", day, "10:15", "2 2 2 2")]
    words: dict[str, Any] = {"start": day, "end": day + timedelta(days=1), "interval": "1h"}
    by_clock = ask(reads, rows, **words)
    assert clock(by_clock) == ["09:00", "10:00"]
    by_session = ask(reads, rows, session="regular", calendar=sessions(day), **words)
    assert by_session["bar_start"].to_pylist() == [
        datetime(day.year, day.month, day.day, utc_hour, 30, tzinfo=UTC)
    ]


def test_the_last_bar_of_an_early_close_is_short(reads: Reads) -> None:
    day = date(2025, 7, 3)
    rows = [
        minute("A", day, f"{h:02d}:{m:02d}", "1 1 1 1") for h, m in [(9, 30), (12, 30), (12, 59)]
    ]
    found = ask(
        reads,
        rows,
        calendar=sessions(day, close="13:00"),
        start=day,
        end=day + timedelta(days=1),
        interval="1h",
        session="regular",
    )
    assert clock(found) == ["09:30", "12:30"]
    assert found["bars"].to_pylist() == [1, 2]


def test_a_session_that_starts_late_moves_the_buckets_of_its_day_only(reads: Reads) -> None:
    usual = next(s for s in sessions(TUESDAY) if s.session == "regular")
    moved = Session("XNYS", TUESDAY, "regular", ns(at(TUESDAY, "10:10")), usual.end_ns)
    rows = [minute("A", d, "10:40", "1 1 1 1") for d in (MONDAY, TUESDAY)]
    found = ask(reads, rows, calendar=[*sessions(MONDAY), moved], interval="30m", session="regular")
    assert clock(found) == ["10:30", "10:40"]


def test_bars_never_cross_trade_dates(reads: Reads) -> None:
    rows = [
        minute("A", MONDAY, "19:59", "1 1 1 1"),
        # An overnight print of the evening belongs to the next trade date, in the same hour.
        minute("A", MONDAY, "19:59", "2 2 2 2") | {"trade_date": TUESDAY, "session": "overnight"},
    ]
    found = ask(reads, rows, interval="1h")
    assert found["trade_date"].to_pylist() == [MONDAY, TUESDAY]
    assert found["bars"].to_pylist() == [1, 1]


def test_absent_bars_stay_absent(reads: Reads) -> None:
    assert clock(ask(reads, FIRST_HOUR, interval="1m", session="regular")) == [
        "09:30",
        "09:34",
        "09:35",
        "10:29",
        "10:30",
    ]


def test_filling_carries_the_close_between_the_first_and_the_last_bar(reads: Reads) -> None:
    found = ask(reads, FIRST_HOUR, interval="15m", session="regular", fill="previous")
    assert clock(found) == ["09:30", "09:45", "10:00", "10:15", "10:30"]
    assert found["close"].to_pylist() == [Decimal(x) for x in ("9", "9", "9", "9.25", "20")]
    assert found["open"].to_pylist() == [Decimal(x) for x in ("10", "9", "9", "9", "20")]
    assert found["bars"].to_pylist() == [3, 0, 0, 1, 1]
    assert found["volume"].to_pylist()[1] == 0
    assert found["source"].to_pylist() == ["massive"] * 5


def test_minutes_are_filled_inside_a_session_only(reads: Reads) -> None:
    found = ask(reads, FIRST_HOUR[:3], interval="1m", fill="previous")
    assert clock(found) == ["09:29", "09:30", "09:31", "09:32", "09:33", "09:34"]
    assert found["session"].to_pylist() == ["pre"] + ["regular"] * 5


def test_days_are_filled_on_trade_dates(reads: Reads) -> None:
    friday, monday = date(2025, 6, 6), date(2025, 6, 9)
    rows = [
        bar("A", day, prices)
        | {"bar_start": at(day, "00:00"), "bar_start_ns": ns(at(day, "00:00"))}
        for day, prices in [(date(2025, 6, 4), "1 1 1 1"), (monday, "3 3 3 3")]
    ]
    calendar = [s for d in (4, 5, 6, 9, 10) for s in sessions(date(2025, 6, d))]
    found = ask(
        reads,
        rows,
        calendar=calendar,
        start=date(2025, 6, 4),
        end=date(2025, 6, 11),
        interval="1d",
        fill="previous",
    )
    assert found["trade_date"].to_pylist() == [date(2025, 6, 4), date(2025, 6, 5), friday, monday]
    assert found["close"].to_pylist() == [1, 1, 1, 3]
    assert found["volume"].to_pylist() == [100, 0, 0, 100]


def test_a_day_of_the_pre_market_is_made_of_its_minutes(reads: Reads) -> None:
    rows = [minute("A", MONDAY, "08:00", "1 5 1 2"), *FIRST_HOUR]
    found = ask(reads, rows, interval="1d", session="pre")
    assert found.to_pylist()[0]["high"] == 9
    assert found.to_pylist()[0]["open"] == 1
    assert found["bars"].to_pylist() == [2]


def test_the_table_follows_from_interval_and_session() -> None:
    def table(interval: str, session: str | None) -> str:
        return BarsRequest((), MONDAY, TUESDAY, interval=interval, session=session).table.name

    assert table("1d", None) == "silver.day_bars"
    assert table("1d", "regular") == "gold.daily_bars"
    assert table("1d", "post") == "silver.minute_bars"
    assert table("1h", None) == "silver.minute_bars"


def test_regular_days_show_what_gold_holds(reads: Reads) -> None:
    row = bar("A", MONDAY, "1 2 1 2") | {
        "bar_count": 390,
        "pre_volume": Decimal(1),
        "post_volume": Decimal(2),
        "total_volume": Decimal(103),
        "close_bar_open": Decimal(2),
        "close_bar_close": Decimal(3),
        "close_bar_volume": Decimal(4),
        "vwap_typical": Decimal("1.5"),
    }
    del row["stale_refused"]
    plan = plan_bars(BarsRequest(("A",), MONDAY, TUESDAY, session="regular"))
    assert plan.table is DAILY_BARS
    found = ask(reads, [row], session="regular")
    assert tuple(found.column_names) == plan.columns
    assert found.to_pylist()[0]["close_bar_close"] == 3


def test_only_the_symbols_asked_for_are_answered_case_and_all(reads: Reads) -> None:
    rows = [minute(s, MONDAY, "09:30", "1 1 1 1") for s in ("NA", "na", "TRUE", "O'X")]
    found = ask(reads, rows, interval="1m", symbols=("na", "O'X"))
    assert found["symbol"].to_pylist() == ["O'X", "na"]


def test_a_window_of_minutes_is_half_open(reads: Reads) -> None:
    window = Interval(ns(at(MONDAY, "09:34")), ns(at(MONDAY, "10:29")))
    assert clock(ask(reads, FIRST_HOUR, interval="1m", window=window)) == ["09:34", "09:35"]


def test_one_source_answers_for_a_symbol_and_day(reads: Reads) -> None:
    rows = [
        minute("A", MONDAY, "09:30", "1 1 1 1", source="yahoo"),
        minute("A", MONDAY, "09:31", "2 2 2 2", source="massive"),
        minute("A", TUESDAY, "09:30", "3 3 3 3", source="yahoo"),
        minute("A", TUESDAY, "09:30", "4 4 4 4", source="massive"),
        minute("B", TUESDAY, "09:30", "5 5 5 5", source="lean"),
        minute("B", TUESDAY, "09:30", "6 6 6 6", source="csv"),
    ]
    sources = Sources(
        ("csv", "lean", "massive", "yahoo"),
        ((date(1970, 1, 1), ("massive",)), (TUESDAY, ("yahoo", "massive"))),
    )
    found = ask(reads, rows, interval="1m", sources=sources)
    assert [(r["symbol"], r["trade_date"], r["source"]) for r in found.to_pylist()] == [
        ("A", MONDAY, "massive"),
        ("A", TUESDAY, "yahoo"),
        ("B", TUESDAY, "csv"),  # not listed: by name
    ]
    assert sources_in(found) == ("csv", "massive", "yahoo")
    only = ask(reads, rows, interval="1m", sources=sources, source="lean")
    assert only["close"].to_pylist() == [5]


def test_what_became_known_later_is_not_in_the_bars(reads: Reads) -> None:
    old = minute("A", MONDAY, "09:30", "1 1 1 1", known_to=datetime(2025, 7, 1, tzinfo=UTC))
    new = minute("A", MONDAY, "09:30", "2 2 2 2", known_from=datetime(2025, 7, 1, tzinfo=UTC))
    plan = plan_bars(BarsRequest(("A",), MONDAY, TUESDAY, interval="1h"))

    def close(known_at: datetime) -> Any:
        view = bind(plan.table.name, AsOf(known_at), rows_of(MINUTE_BARS, [old, new]))
        return reads.run(plan.sql, {view.name: view})["close"].to_pylist()

    assert close(datetime(2025, 6, 30, tzinfo=UTC)) == [1]
    assert close(datetime(2025, 7, 1, tzinfo=UTC)) == [2]
    assert close(datetime(2023, 1, 1, tzinfo=UTC)) == []


def test_wide_bars_have_a_column_per_symbol(reads: Reads) -> None:
    rows = [
        minute("B", MONDAY, "09:30", "1 1 1 1.5"),
        minute("A", MONDAY, "09:31", "2 2 2 2"),
        minute("B", MONDAY, "09:31", "3 3 3 3"),
    ]
    wide = to_wide(ask(reads, rows, interval="1m"), "close", symbols=("C", "B"))
    assert wide.column_names == ["trade_date", "session", "bar_start", "C", "B", "A"]
    assert wide.select(["A", "B", "C"]).to_pylist() == [
        {"A": None, "B": Decimal("1.5"), "C": None},
        {"A": Decimal(2), "B": Decimal(3), "C": None},
    ]
    assert wide.schema.field("B").type == pa.decimal128(18, 6)


@pytest.mark.parametrize("symbols", [("A",), ("A", "B")])
def test_a_wide_answer_of_all_sessions_is_in_the_order_of_time(
    reads: Reads, symbols: tuple[str, ...]
) -> None:
    rows = [
        minute(symbol, day, clock, "1 1 1 1")
        for day in (TUESDAY, MONDAY)
        for clock in ("17:00", "09:30", "08:00")
        for symbol in symbols
    ]
    wide = to_wide(ask(reads, rows, interval="1m"), "close").to_pandas().set_index("bar_start")
    assert wide.index.is_monotonic_increasing
    assert wide["session"].to_list() == ["pre", "regular", "post"] * 2


def test_a_symbol_that_is_called_like_a_column_cannot_be_wide(reads: Reads) -> None:
    found = ask(reads, [minute("session", MONDAY, "09:30", "1 1 1 1")], interval="1m")
    with pytest.raises(QueryError, match="called like a column"):
        to_wide(found, "close")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"interval": "5min"}, "interval was '5min'. Did you mean 5m?"),
        ({"interval": "1month"}, "interval was '1month'. Did you mean 1mo?"),
        ({"interval": "2y"}, "interval was '2y'. Write minutes or hours"),
        ({"session": "premarket"}, "session was 'premarket'. Did you mean pre?"),
        ({"session": "Regular"}, "Did you mean regular?"),
        ({"basis": "splits"}, "Did you mean split?"),
        ({"fill": "forward"}, "It is one of none, previous."),
        ({"layout": "wyde"}, "Did you mean wide?"),
        ({"value": "price"}, "It is one of open, high"),
        ({"end": MONDAY}, "has no day"),
        ({"window": Interval(0, 1)}, "Use an interval such as 1m"),
    ],
)
def test_a_request_without_meaning_is_refused(words: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError, match=r"\.") as refused:
        BarsRequest((), **{"start": MONDAY, "end": TUESDAY, **words})
    assert message in str(refused.value)


def test_a_vendor_day_bar_is_shown_as_it_is(reads: Reads) -> None:
    row = bar("A", MONDAY, "1 2 0.5 1.5", "12.5") | {
        "bar_start": at(MONDAY, "00:00"),
        "bar_start_ns": ns(at(MONDAY, "00:00")),
    }
    found = ask(reads, [row])
    assert set(found.column_names) <= set(DAY_BARS.column_names)
    assert found.to_pylist() == [
        {
            "symbol": "A",
            "trade_date": MONDAY,
            "open": Decimal(1),
            "high": Decimal(2),
            "low": Decimal("0.5"),
            "close": Decimal("1.5"),
            "volume": Decimal("12.5"),
            "transactions": 7,
            "source": "massive",
            "currency": None,
        }
    ]
