"""The front door as a person of the field writes it: symbols, times, words, frames, intervals."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ingot
from tests.support.world import MONDAY, World, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot import Lake

TUESDAY = date(2025, 6, 3)
WEDNESDAY = date(2025, 6, 4)
PRICES = ["open", "high", "low", "close", "volume"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("front"), end=WEDNESDAY, symbols=20)
    world.publish()
    assert world.backfill(at(1)).exit_code == 0
    return world


@pytest.fixture(scope="module")
def lake(world: World) -> Iterator[Lake]:
    with world.lake(at(1)) as lake:
        yield lake


def minutes(world: World, day: date, symbol: str = "AAPL") -> pl.DataFrame:
    """Return the published minutes of a symbol, with their start in New York."""
    frame = world.published(1, day).filter(pl.col("symbol") == symbol)
    start = pl.from_epoch("bar_start_ns", time_unit="ns").dt.replace_time_zone("UTC")
    return frame.with_columns(start=start.dt.convert_time_zone("America/New_York"))


def in_buckets(frame: pl.DataFrame, every: str, offset: str = "0m") -> list[tuple[Any, ...]]:
    """Return the truth resampled by Polars: open, high, low, close, volume of each bucket."""
    groups = frame.sort("start").group_by_dynamic("start", every=every, offset=offset)
    made = groups.agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )
    return made.select(PRICES).cast(pl.Float64).rows()


def test_symbols_are_given_one_by_one_or_in_a_list(lake: Lake) -> None:
    one = lake.bars("AAPL", "SPY").arrow()
    assert lake.bars(["AAPL", "SPY"]).arrow().equals(one)
    assert lake.bars(["AAPL"], ("SPY", "AAPL")).arrow().equals(one)


@pytest.mark.parametrize(
    "start",
    [
        TUESDAY,
        datetime(2025, 6, 3),  # noqa: DTZ001  # a date as pandas and others hand it over
        pd.Timestamp("2025-06-03"),
        "2025-06-03",
        "2025-06-03 00:00:00",
    ],
)
def test_a_date_is_accepted_in_every_usual_type(lake: Lake, start: Any) -> None:
    assert lake.bars("AAPL", start=start)["trade_date"].to_list() == [TUESDAY]


@pytest.mark.parametrize("start", [datetime(2025, 6, 3, 9), pd.NaT, "soon", 20250603])  # noqa: DTZ001
def test_what_is_no_date_is_refused_by_name(lake: Lake, start: Any) -> None:
    with pytest.raises(ingot.QueryError, match=r"start was .*\. Write a date such as 2025-06-02"):
        lake.bars("AAPL", start=start)


def test_a_timestamp_of_pandas_is_a_moment(lake: Lake) -> None:
    moment = datetime(2025, 6, 20, 12, tzinfo=UTC)
    asked = lake.bars("AAPL", known_at=pd.Timestamp(moment)).known_at
    assert asked == moment
    assert type(asked) is datetime
    with pytest.raises(ingot.QueryError, match="known_at was NaT"):
        lake.bars("AAPL", known_at=pd.NaT)


def test_an_unknown_option_is_refused_at_the_door(lake: Lake, world: World) -> None:
    unknown: dict[str, Any] = {"intervall": "1h"}
    with pytest.raises(ingot.QueryError, match=r"no option 'intervall'\. Did you mean interval\?"):
        lake.export(world.folder / "never", "AAPL", **unknown)
    assert not (world.folder / "never").exists()
    with pytest.raises(ingot.QueryError, match=r"no option 'lay_out'\. Did you mean layout\?"):
        lake.bars("AAPL", lay_out="wide")  # type: ignore[call-arg]  # the same


def test_pandas_gets_datetime64_and_a_wide_layout_its_time_as_index(lake: Lake) -> None:
    long = lake.bars("AAPL", "SPY").df()
    assert pd.api.types.is_datetime64_dtype(long["trade_date"])
    days = lake.bars("AAPL", "SPY", layout="wide").df()
    assert list(days.columns) == ["AAPL", "SPY"]
    assert days.index.equals(pd.DatetimeIndex(["2025-06-02", "2025-06-03"]))
    hours = lake.bars("AAPL", interval="1h", session="regular", layout="wide").df()
    assert str(hours.index.tz) == "UTC"
    assert list(hours.columns) == ["AAPL"]


def test_an_answer_is_iterated_indexed_and_cut_into_batches(lake: Lake) -> None:
    answer = lake.bars("AAPL", interval="1m")
    assert answer.shape == (len(answer), len(answer.columns))
    assert [row["close"] for row in answer] == answer.arrow()["close"].to_pylist()
    assert answer["close"].to_list() == answer.pl()["close"].to_list()
    batches = list(answer.to_batches(100))
    assert max(len(batch) for batch in batches) <= 100
    assert sum(len(batch) for batch in batches) == len(answer)
    with pytest.raises(ingot.QueryError, match=r"no column 'clsoe'\. Did you mean close\?"):
        answer["clsoe"]


LONG = """
SELECT source, repeat('x', 1000) AS filler
FROM (SELECT DISTINCT source FROM silver.day_bars), range(40000)
"""
"""An answer of 40 MB, which is a stream."""


def test_a_long_answer_names_the_sources_of_its_tables_and_ends_with_its_lake(
    world: World,
) -> None:
    with world.lake(at(1)) as lake:
        answer = lake.sql(LONG)
        assert answer.is_stream
        assert answer.sources == ("massive",)
        assert lake.sql("SELECT symbol FROM silver.day_bars LIMIT 1").sources == ()
    with pytest.raises(ingot.QueryError, match="lake was closed before this answer was read"):
        next(answer.to_batches())


def test_a_stream_holds_the_bars_of_an_answer(lake: Lake) -> None:
    how: dict[str, Any] = {"interval": "1h", "session": "regular", "known_at": at(1)}
    batches = list(lake.stream(["AAPL", "SPY"], **how))
    assert pa.Table.from_batches(batches).equals(lake.bars("AAPL", "SPY", **how).arrow())
    with pytest.raises(ingot.QueryError, match="Bars are streamed by month"):
        next(lake.stream("AAPL", interval="1w"))


def test_a_notebook_shows_known_at_and_the_notices(lake: Lake) -> None:
    shown = lake.bars("AAPL", "aapl")._repr_html_()
    assert "known at 2025-07-01T16:00:00+00:00" in shown
    assert "note: did you mean AAPL for aapl?" in shown
    assert "silver.day_bars" in lake._repr_html_()
    assert repr(lake).startswith("Lake('")


def test_instants_are_shown_in_the_zone_asked_for(lake: Lake) -> None:
    answer = lake.bars("AAPL", interval="1h", session="regular", end=TUESDAY)
    local = answer.in_zone("America/New_York")["bar_start"].dt.strftime("%H:%M").to_list()
    assert local == ["09:30", "10:30", "11:30", "12:30", "13:30", "14:30", "15:30"]
    with pytest.raises(ingot.QueryError, match=r"Did you mean America/New_York\?"):
        answer.in_zone("America/NewYork")


@pytest.mark.parametrize("interval", ["10m", "90m", "2h", "4h", "12h"])
def test_intervals_without_a_session_begin_at_new_york_midnight(
    lake: Lake, world: World, interval: str
) -> None:
    answer = lake.bars("AAPL", interval=interval, end=TUESDAY).pl()
    assert answer.select(PRICES).rows() == in_buckets(minutes(world, MONDAY), interval)


@pytest.mark.parametrize("minutes_of_bar", [13, 130, 195])
def test_intervals_that_divide_a_session_begin_at_it(
    lake: Lake, world: World, minutes_of_bar: int
) -> None:
    opens = datetime(2025, 6, 2, 13, 30, tzinfo=UTC)
    minute = (pl.col("bar_start_ns") // 1_000_000_000 - int(opens.timestamp())) // 60
    regular = minutes(world, MONDAY).filter(minute.is_between(0, 389)).sort("bar_start_ns")
    truth = regular.group_by((minute // minutes_of_bar).alias("bucket"), maintain_order=True).agg(
        pl.col("open").first(), pl.col("close").last(), pl.col("volume").sum()
    )
    interval = f"{minutes_of_bar}m"
    answer = lake.bars("AAPL", interval=interval, session="regular", end=TUESDAY).pl()
    starts = [opens + timedelta(minutes=n * minutes_of_bar) for n in truth["bucket"]]
    assert answer["bar_start"].to_list() == starts
    columns = ["open", "close", "volume"]
    assert answer.select(columns).rows() == truth.select(columns).cast(pl.Float64).rows()


def test_weeks_and_months_are_made_of_day_bars(lake: Lake, world: World) -> None:
    days = [world.published(1, d, "us_stocks_sip/day_aggs_v1") for d in (MONDAY, TUESDAY)]
    truth = pl.concat(days).filter(pl.col("symbol") == "AAPL")
    (week,) = lake.bars("AAPL", interval="1w")
    (month,) = lake.bars("AAPL", interval="1mo")
    assert (week["trade_date"], month["trade_date"]) == (MONDAY, date(2025, 6, 1))
    for bar in (week, month):
        assert bar["open"] == truth["open"][0]
        assert bar["close"] == truth["close"][1]
        assert (bar["high"], bar["low"]) == (truth["high"].max(), truth["low"].min())
        assert (bar["volume"], bar["bars"]) == (truth["volume"].sum(), 2)


@pytest.mark.parametrize(
    ("interval", "session", "message"),
    [
        ("7m", "regular", r"does not divide the regular session \(390 minutes\)"),
        ("13m", None, r"does not divide a day \(1440 minutes\)"),
        ("0m", None, "Write minutes or hours"),
        ("1week", None, r"Did you mean 1w\?"),
    ],
)
def test_an_interval_that_divides_nothing_is_refused(
    lake: Lake, interval: str, session: Any, message: str
) -> None:
    with pytest.raises(ingot.QueryError, match=message):
        lake.bars("AAPL", interval=interval, session=session)


def test_a_bar_of_several_sessions_is_noticed(lake: Lake) -> None:
    mixed = lake.bars("AAPL", interval="1h", end=TUESDAY)
    assert any("1 bar holds minutes of more than one session" in n for n in mixed.notices)
    assert "mixes_sessions" not in mixed.columns
    assert lake.bars("AAPL", interval="30m").notices == ()
    assert lake.bars("AAPL", interval="1h", session="regular").notices == ()


def test_a_window_selects_whole_bars_that_start_in_it(lake: Lake) -> None:
    window = (datetime(2025, 6, 2, 14, 30, tzinfo=UTC), pd.Timestamp("2025-06-02T16:01Z"))
    cut = lake.bars("AAPL", interval="1h", window=window).arrow()
    whole = lake.bars("AAPL", interval="1h").arrow()
    starts = [datetime(2025, 6, 2, hour, tzinfo=UTC) for hour in (15, 16)]
    assert cut["bar_start"].to_pylist() == starts
    assert cut.to_pylist() == [r for r in whole.to_pylist() if r["bar_start"] in starts]


def test_a_query_binds_names_and_positions(lake: Lake) -> None:
    sql = "select trade_date from silver.day_bars where symbol = {} and trade_date >= {} order by 1"
    named = lake.sql(sql.format("$symbol", "$since"), {"symbol": "AAPL", "since": TUESDAY})
    assert named["trade_date"].to_list() == [TUESDAY]
    placed = lake.sql(sql.format("?", "?"), ["AAPL", pd.Timestamp("2025-06-03")])
    assert placed["trade_date"].to_list() == [TUESDAY]
    many = lake.sql(
        "select count(distinct symbol) as n from silver.day_bars where list_contains($s, symbol)",
        {"s": ["AAPL", "SPY"]},
    )
    assert many["n"].to_list() == [2]
    with pytest.raises(ingot.QueryError, match="Values were not provided"):
        lake.sql(sql.format("$symbol", "$since"), {"symbol": "AAPL"})
    with pytest.raises(ingot.QueryError, match=r"A parameter was .*object"):
        lake.sql("select $x", {"x": object()})


def test_equal_queries_with_other_values_have_other_answers(lake: Lake) -> None:
    sql = "select max(close) as c from silver.day_bars where symbol = $s"
    found = {s: lake.sql(sql, {"s": s})["c"].to_list() for s in ("AAPL", "SPY", "AAPL")}
    assert found["AAPL"] != found["SPY"]


def test_an_export_keeps_the_values_of_its_query(lake: Lake, world: World) -> None:
    sql = "select symbol, close from silver.day_bars where symbol = $s order by trade_date"
    made = lake.export(world.folder / "bound", query=sql, params={"s": "SPY"}, format="csv")
    again = lake.replay(world.folder / "bound", world.folder / "again")
    assert (made.manifest.rows, again.kept) == (2, "bytes")


def test_the_current_date_is_that_of_known_at(lake: Lake) -> None:
    sql = "select current_date as today"
    assert lake.sql(sql)["today"].to_list() == [date(2025, 7, 1)]
    assert lake.sql(sql, known_at="2025-06-20")["today"].to_list() == [date(2025, 6, 20)]
    late = "2025-06-20T02:00Z"
    assert lake.sql(sql, known_at=late)["today"].to_list() == [date(2025, 6, 19)]


def test_tables_are_described_and_summarized_in_sql(lake: Lake) -> None:
    described = lake.sql("describe silver.day_bars")
    assert described["column_name"].to_list()[:3] == ["source", "dataset", "symbol"]
    assert "known_to" not in described["column_name"].to_list()
    summary = {r["column_name"]: r for r in lake.sql("summarize silver.day_bars")}
    assert summary["trade_date"]["min"] == "2025-06-02"
    assert lake.sql("SHOW TABLES;").arrow().equals(lake.tables().arrow())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("select now()", r"Write current_date, the date of known_at, or a literal\."),
        ("select current_timestamp", r"Write current_date \(the date of known_at\) or a literal"),
        ("show silver.day_bars", "SHOW"),
    ],
)
def test_a_clock_is_answered_with_the_current_date(lake: Lake, words: str, message: str) -> None:
    with pytest.raises(ingot.QueryError, match=message):
        lake.sql(words)


def test_sessions_begin_in_1990_with_the_shortened_days_of_then(lake: Lake) -> None:
    # NYSE: the day after Thanksgiving closed at 14:00 until 1992 and at 13:00 since 1993.
    assert min(lake.sessions(end="1990-02-01")["trade_date"]) == date(1990, 1, 2)
    for day, closes in ((date(1992, 11, 27), "14:00"), (date(1993, 11, 26), "13:00")):
        found = lake.sessions(start=day, end=day + timedelta(days=1)).in_zone("America/New_York")
        ends = dict(zip(found["session"], found["session_end"].dt.strftime("%H:%M"), strict=True))
        assert ends["regular"] == closes


def test_options_are_found_where_they_are(lake: Lake) -> None:
    (said,) = [n for n in lake.bars("O:AAPL250620C00200000").notices if "options" in n]
    assert "bronze.day_bars" in said
