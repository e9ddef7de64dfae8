"""Coverage against the simulator's truth: injected gaps are named, legal ones are not faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from ingot.app.trust.coverage import coverage
from ingot.cli.main import run
from ingot.simulator.truth import FOLDER, read_defects
from tests.support.world import DAYS, MINUTES, World

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.app.trust.coverage import Coverage

TUESDAY, WEDNESDAY, HALF_DAY = (date(2025, 7, day) for day in (1, 2, 3))
HOLIDAY, MONDAY, LAST = (date(2025, 7, day) for day in (4, 7, 8))
END = date(2025, 7, 10)
"""After Wednesday the 9th, whose files nobody published."""
AUGUST = datetime(2025, 8, 1, 16, tzinfo=UTC)
DEFECTS = {
    TUESDAY: {"missing_closing_minutes", "inf_value"},
    WEDNESDAY: {"truncated_gzip"},
    MONDAY: {"late_day"},
    LAST: {"tenth_of_market"},
}
NS = 60_000_000_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Load six trade dates with a half day and a holiday, four of them damaged."""
    folder = tmp_path_factory.mktemp("coverage")
    world = World(folder, start=TUESDAY, end=LAST + timedelta(days=1), symbols=40)
    world.publish(defects=DEFECTS)
    # The day files are whole: both datasets share the defects of a date.
    replace(world, datasets=(DAYS,)).publish()
    world.backfill(AUGUST)
    return world


@pytest.fixture(scope="module")
def found(world: World) -> Coverage:
    """Return everything, with what the truth says of listings and halts."""
    parts = world.parts(AUGUST)
    truth = world.tree / FOLDER
    held = pl.read_parquet(truth / "instruments.parquet").select(
        symbol="ticker", listed_from="valid_from", listed_to="valid_to"
    )
    halts = pl.read_parquet(truth / "halts.parquet").rename({"ticker": "symbol"})
    try:
        return coverage(
            parts,
            start=TUESDAY,
            end=END,
            everything=True,
            listings=held.to_arrow(),
            halts=halts.to_arrow(),
        )
    finally:
        parts.close()


def rows(found: Coverage, dataset: str = MINUTES) -> pl.DataFrame:
    return found.rows.to_polars().filter(dataset=dataset)


def test_each_day_of_the_market_is_named(found: Coverage) -> None:
    days = found.days.to_polars()
    states = dict(days.filter(dataset=MINUTES).select("trade_date", "state").iter_rows())
    weekend = {date(2025, 7, 5): "closed", date(2025, 7, 6): "closed"}
    assert states == weekend | {
        TUESDAY: "present",
        WEDNESDAY: "refused",
        HALF_DAY: "present",
        HOLIDAY: "closed",
        MONDAY: "late",
        LAST: "present",
        date(2025, 7, 9): "late",
    }
    refused = days.filter(dataset=MINUTES, trade_date=WEDNESDAY)["evidence"][0]
    assert refused.startswith("refused whole: ")
    assert "cannot be read to its end" in refused or "torn" in refused or "gzip" in refused


def test_closing_minutes_that_a_file_lacks_are_holes_where_they_leave_evidence(
    world: World, found: Coverage
) -> None:
    lost: dict[str, list[int]] = {}
    for record in read_defects(world.tree, 1):
        missing = record.injected
        if record.dataset == MINUTES and missing.defect == "missing_closing_minutes":
            assert missing.ticker is not None
            assert missing.window_start is not None
            lost.setdefault(missing.ticker, []).append(missing.window_start)
    holes = {r["symbol"]: r for r in rows(found).iter_rows(named=True) if is_hole(r, TUESDAY)}
    assert lost
    assert set(holes) <= set(lost)
    assert set(holes) == {symbol for symbol in lost if leaves_evidence(world, symbol)}
    for symbol, row in holes.items():
        if row["range_start"] is not None:
            starts = [datetime.fromtimestamp(ns / 1e9, UTC) for ns in lost[symbol]]
            assert row["range_start"] <= min(starts)
            assert max(starts) < row["range_end"]


def is_hole(row: dict[str, object], day: date) -> bool:
    return row["state"] == "hole" and row["trade_date"] == day


def leaves_evidence(world: World, symbol: str) -> bool:
    """Say whether what is left of Tuesday contradicts the day file, computed by hand."""
    minutes = world.published(1, TUESDAY).filter(symbol=symbol).sort("bar_start_ns")
    (day,) = world.published(1, TUESDAY, DAYS).filter(symbol=symbol).to_dicts()
    close_ns = int(datetime(2025, 7, 1, 20, tzinfo=UTC).timestamp()) * 1_000_000_000
    regular = minutes.filter(
        pl.col("bar_start_ns").is_between(close_ns - 390 * NS, close_ns, closed="left")
    ).to_dicts()
    ends = [*regular[-1:], *minutes.filter(bar_start_ns=close_ns).to_dicts()]
    if not any(bar["low"] <= day["close"] <= bar["high"] for bar in ends):
        return True
    gap = day["volume"] - sum(minutes["volume"].to_list())
    trades = day["transactions"] - sum(minutes["transactions"].to_list())
    by_size = gap > 0 and gap >= 100 * max(trades, 1)
    return bool(by_size or (gap > 100 and gap * 100 > day["volume"] * 5))


def test_a_tenth_of_the_market_leaves_holes_for_the_rest(world: World, found: Coverage) -> None:
    traded = set(world.published(1, LAST, DAYS)["symbol"])
    there = set(world.published(1, LAST)["symbol"])
    holes = {r["symbol"] for r in rows(found).iter_rows(named=True) if is_hole(r, LAST)}
    assert holes == traded - there
    assert len(holes) > len(there)


def test_a_refused_row_is_named_with_its_minute(world: World, found: Coverage) -> None:
    expected = {
        (i.ticker, i.window_start)
        for record in read_defects(world.tree, 1)
        for i in [record.injected]
        if record.dataset == MINUTES and i.defect == "inf_value"
    }
    refused = rows(found).filter(state="refused", trade_date=TUESDAY).drop_nulls("range_start")
    starts = refused["range_start"].dt.epoch("ns")
    assert set(zip(refused["symbol"], starts, strict=True)) == expected


@pytest.mark.parametrize("day", [TUESDAY, HALF_DAY])
def test_a_day_without_a_bar_is_without_a_trade_or_not_listed(
    world: World, found: Coverage, day: date
) -> None:
    absent = rows(found).filter(pl.col("trade_date") == day, pl.col("bars") == 0)
    absent = absent.filter(pl.col("range_start").is_null())
    held = pl.read_parquet(world.tree / FOLDER / "instruments.parquet")
    listed = {
        row["ticker"]
        for row in held.iter_rows(named=True)
        if row["valid_from"] <= day and (row["valid_to"] is None or day < row["valid_to"])
    }
    traded = set(world.published(1, day)["symbol"])
    for symbol, state, evidence in absent.select("symbol", "state", "evidence").iter_rows():
        assert symbol not in traded
        assert state == ("no_trade" if symbol in listed else "not_listed"), symbol
        if state == "no_trade":
            assert evidence == "the day file has no bar of it, either"


def test_no_legal_gap_is_a_fault(found: Coverage) -> None:
    faults = {"hole", "refused", "unknown", "late"}
    assert not faults & set(rows(found).filter(trade_date=HALF_DAY)["state"])
    assert not faults & set(
        rows(found, DAYS).filter(pl.col("trade_date") < END - timedelta(2))["state"]
    )
    assert HOLIDAY not in set(rows(found)["trade_date"])


def test_halts_are_named_where_a_source_tells_of_them(world: World, found: Coverage) -> None:
    truth = pl.read_parquet(world.tree / FOLDER / "halts.parquet")
    assert len(rows(found).filter(state="halted")) == len(truth)


def test_without_listings_a_symbol_outside_its_bars_is_unknown(world: World) -> None:
    parts = world.parts(AUGUST)
    plain = coverage(parts, start=TUESDAY, end=LAST, everything=True)
    parts.close()
    states = rows(plain)
    assert "not_listed" not in set(states["state"])
    unknown = states.filter(state="unknown")["evidence"].to_list()
    assert unknown
    assert all("no listing is known" in text for text in unknown)


def test_the_plan_tells_files_bytes_and_days(found: Coverage) -> None:
    plan = found.plan.to_polars().filter(dataset=MINUTES)
    (fetch,) = plan.filter(todo="ingot ingest").to_dicts()
    assert (fetch["first_date"], fetch["last_date"]) == (TUESDAY, date(2025, 7, 9))
    assert fetch["days"] == 5
    assert f"{MINUTES}/2025/07/2025-07-07.csv.gz" in fetch["files"]
    assert fetch["size_bytes"] > 0
    assert found.exit_code == 3


def test_what_is_loaded_and_not_refined_is_told_apart_from_what_never_came(
    world: World, tmp_path: Path
) -> None:
    other = replace(world, folder=tmp_path, vendor=world.tree, end=WEDNESDAY, datasets=(DAYS,))
    other.ingest(AUGUST)
    parts = other.parts(AUGUST)
    before = coverage(parts, start=TUESDAY, end=WEDNESDAY)
    parts.close()
    (row,) = before.days.to_polars().to_dicts()
    assert (row["state"], row["evidence"]) == ("unknown", "loaded, not refined")
    assert before.plan.to_polars()["todo"].to_list() == ["ingot build"]
    assert before.exit_code == 4
    other.build(AUGUST)
    parts = other.parts(AUGUST)
    assert coverage(parts, start=TUESDAY, end=WEDNESDAY).exit_code == 0
    late = coverage(parts, start=TUESDAY, end=HALF_DAY)
    assert late.exit_code == 4
    early = coverage(parts, start=TUESDAY, end=date(2025, 8, 2))
    parts.close()
    assert early.days.to_polars()["evidence"][-1].startswith("not due before 2025-08-02")


@pytest.mark.services
def test_a_held_version_waits_for_a_decision(world: World, tmp_path: Path) -> None:
    environ = {"INGOT_HOLD_MEDIAN_MIN_DAYS": "1"}
    span = {"start": HALF_DAY, "datasets": (MINUTES,), "environ": environ}
    other = replace(world, folder=tmp_path, vendor=world.tree, **span)  # type: ignore[arg-type]  # of fields
    other.backfill(AUGUST)
    parts = other.parts(AUGUST)
    seen = coverage(parts, start=LAST, end=LAST + timedelta(days=1))
    parts.close()
    (row,) = seen.days.to_polars().to_dicts()
    assert row["state"] == "refused"
    assert row["evidence"].startswith("held: ")
    assert seen.plan.to_polars()["todo"].to_list() == ["ingot landings accept|reject"]
    assert seen.exit_code == 3


def test_the_command_prints_a_calendar_and_ends_with_the_code(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--lake", str(world.root), "coverage", "--from", "2025-07-01", "--to", "2025-07-08"]
    assert run(words) == 3
    out = capsys.readouterr().out
    assert " 2025-07  OX#...LO" in out
    options = f"--dataset {MINUTES} --from 2025-07-01 --to 2025-07-08"
    assert f"todo: ingot ingest massive --source ... {options}" in out
    assert run([*words, "--format", "json"]) == 3
    listed = json.loads(capsys.readouterr().out)
    assert {row["state"] for row in listed} >= {"present", "refused", "late", "hole", "closed"}
    assert run([*words, "AAPL"]) in {0, 3}
    assert "AAPL in us_stocks_sip/minute_aggs_v1" in capsys.readouterr().out
    run([*words, "NOSUCH"])
    assert "there is no coverage of NOSUCH" in capsys.readouterr().err
    assert run([*words, "--save", "AAPL"]) == 2
    assert "--save keeps the whole market" in capsys.readouterr().err


def test_a_reader_that_goes_away_changes_nothing(world: World) -> None:
    words = ["--lake", str(world.root), "coverage", "--from", "2025-07-01", "--to", "2025-07-08"]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as nobody:
        command = [sys.executable, "-m", "ingot", *words]
        ended = subprocess.run(command, check=False, stdout=nobody, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.services
def test_what_is_saved_can_be_asked(world: World) -> None:
    with world.lake(AUGUST) as lake:
        first = lake.save_coverage(start=TUESDAY, end=LAST)
        assert lake.save_coverage(start=TUESDAY, end=LAST) == first
        answer = lake.sql("select count(*) as n from ops.coverage").to_polars()
        late = lake.sql(
            "select distinct trade_date from ops.coverage where state = 'late' and symbol = ''"
        ).to_polars()
    assert answer["n"].to_list() == [first]
    assert late["trade_date"].to_list() == [MONDAY]


@pytest.mark.services
def test_instruments_of_the_lake_say_who_was_listed(world: World, tmp_path: Path) -> None:
    other = replace(world, folder=tmp_path, vendor=world.tree, end=WEDNESDAY, datasets=(DAYS,))
    other.ingest(AUGUST)
    file = tmp_path / "instruments.csv"
    header = "id,symbol,valid_from,valid_to,name,exchange,type,known_from"
    file.write_text(
        f"{header}\nX1,ZZZX,2025-07-02,,Late,XNAS,CS,\nA1,AAPL,1980-12-12,,Apple,XNAS,CS,\n"
    )
    lake = ["--lake", str(other.root), "--now", "2025-08-01T17:00Z"]
    assert run([*lake, "ingest", "instruments", "--source", f"csv:{file}"]) == 0
    assert run([*lake, "build"]) == 0
    parts = other.parts(AUGUST + timedelta(hours=2))
    seen = coverage(parts, start=TUESDAY, end=WEDNESDAY, symbols=["ZZZX", "AAPL"]).rows
    later = coverage(parts, start=WEDNESDAY, end=HALF_DAY, symbols=["ZZZX"]).rows
    parts.close()
    assert dict(seen.to_polars().select("symbol", "state").iter_rows()) == {"AAPL": "present"}
    assert later.to_polars()["state"].to_list() == ["late"]
