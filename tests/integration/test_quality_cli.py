"""Check and reconcile on the command line, over a small lake."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest

from ingot.cli.main import run
from tests.support.world import DAYS, MINUTES, World, at

if TYPE_CHECKING:
    from pathlib import Path

NOW = at(1).isoformat()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("quality"), end=date(2025, 6, 4), symbols=24)
    made.publish()
    made.backfill(at(1))
    made.publish(stage=2)
    made.backfill(at(2))
    return made


def asked(world: World, *words: str, now: str = at(3).isoformat()) -> int:
    return run(["--lake", str(world.root), "--now", now, *words])


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_minutes_against_days_differ_as_the_simulator_says(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("silver.minute_bars", "silver.day_bars", "--format", "json", "--known-at")
    asked(world, "reconcile", *words, at(1, 17).isoformat())
    found = rows(capsys)
    # The simulator's days hold odd lots, a closing print, and nothing else of their own.
    assert {row["cause"] for row in found} <= {"odd_lots", "closing_auction", "session_set"}
    assert all(row["legal"] == (row["cause"] == "closing_auction") for row in found)


def test_a_corrected_version_is_named_republished(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = (f"silver.minute_bars@known_at={at(day, 17).isoformat()}" for day in (1, 2))
    assert asked(world, "reconcile", before, after, "--format", "json") == 3
    found = rows(capsys)
    changed = set()
    for day in pl.date_range(world.start, date(2025, 6, 3), eager=True):
        one, two = (world.published(stage, day, MINUTES).drop("stale_refused") for stage in (1, 2))
        for frame in (
            one.join(two, on=one.columns, how="anti", nulls_equal=True),
            two.join(one, on=one.columns, how="anti", nulls_equal=True),
        ):
            changed |= set(frame.select("symbol", "bar_start_ns").rows())
    assert changed
    assert {row["cause"] for row in found} == {"republished"}
    assert len({(row["symbol"], row["bar_start"]) for row in found}) <= len(changed)
    assert {row["kind"] for row in found} <= {"VALUE_DRIFT", "LATE", "MISSING"}


def test_a_file_with_prices_of_an_old_version_is_named_too(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = world.held(at(3), world.start, at(1, 17), "day_bars")
    file = tmp_path / "old.csv"
    old.with_columns(time=pl.lit(world.start)).select(
        "symbol", "time", "open", "high", "low", "close", "volume"
    ).write_csv(file)
    asked(
        world,
        *("reconcile", "silver.day_bars", f"csv:{file}"),
        *("--date", world.start.isoformat(), "--format", "json"),
    )
    assert {row["cause"] for row in rows(capsys)} <= {"republished"}


def test_a_report_counts_kinds_and_causes(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    code = asked(world, "reconcile", "gold.daily_bars", "silver.day_bars")
    out = capsys.readouterr().out
    assert "compared at 1d, prices raw" in out
    assert ("legal" in out) or ("no difference" in out)
    assert code == (0 if "\n0 findings" in out or "no difference" in out else 3)


def test_bronze_and_silver_hold_the_same_bars(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("day_bars@massive", "silver.day_bars", "--layer", "bronze", "--format", "json")
    assert asked(world, "reconcile", *words) == 0
    assert rows(capsys) == []


def test_a_column_that_a_file_lacks_or_adds_is_schema_drift(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "short.csv"
    file.write_text("symbol,date,open,high,low,close,colour\nA,2025-06-02,1,2,1,2,red\n")
    assert asked(world, "reconcile", "silver.day_bars", f"csv:{file}", "--format", "json") == 3
    found = {row["fields"]: json.loads(str(row["evidence"])) for row in rows(capsys)}
    assert found["volume"]["compatibility"] == "backward"
    assert found["colour"]["what"] == "added"


def test_a_source_that_nothing_landed_of_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(world, "reconcile", "massive", "yaho", "--layer", "silver") == 2
    assert "Nothing of yaho has landed in this lake" in capsys.readouterr().err


def test_one_moment_against_itself_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(world, "reconcile", "silver.day_bars", "silver.day_bars") == 2
    assert "name two" in capsys.readouterr().err


def test_a_check_finds_nothing_wrong_and_is_kept_through_repair(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(world, "check", "--format", "json") == 0
    found = rows(capsys)
    assert {row["violations"] for row in found if row["severity"] == "error"} == {0}
    question = "SELECT count(*) AS kept FROM ops.checks WHERE table_name = 'silver.day_bars'"
    asked(world, "sql", question, "--format", "json")
    (before,) = rows(capsys)
    assert int(str(before["kept"])) > 0
    (world.root / "state.db").unlink()
    asked(world, "repair")
    capsys.readouterr()
    asked(world, "sql", question, "--format", "json")
    assert rows(capsys) == [before]


def test_headers_of_landed_files_are_the_contracts(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A list of actions leaves columns out as it likes; it is no file of the day's schema.
    actions = tmp_path / "actions.csv"
    actions.write_text("symbol,ex_date,kind,cash\nAAPL,2025-06-03,cash_dividend,0.25\n")
    assert asked(world, "ingest", "actions", "--source", f"csv:{actions}") == 0
    capsys.readouterr()
    assert asked(world, "check", "--schema", "--format", "json") == 0
    assert rows(capsys) == []


def test_a_rule_that_is_none_is_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(world, "check", "--rules", "minute_price_in_order") == 2
    assert "Did you mean minute_prices_in_order" in capsys.readouterr().err
    assert asked(world, "check", "ops.runs") == 2


@pytest.mark.parametrize(("setting", "kept"), [("true", True), ("false", False)])
def test_a_build_checks_what_it_refined_unless_told_not_to(
    tmp_path: Path, *, setting: str, kept: bool
) -> None:
    environ = {"INGOT_CHECKS_ON_BUILD": setting}
    made = World(tmp_path, end=date(2025, 6, 3), symbols=20, datasets=(DAYS,), environ=environ)
    made.publish()
    report = made.backfill(at(1))
    assert report.notices == ()
    with made.lake(at(2)) as lake:
        found = lake.sql("SELECT rule, violations, checked_rows FROM ops.checks").to_polars()
    assert ("day_prices_in_order" in found["rule"].to_list()) == kept
    assert set(found["violations"].to_list()) <= {0}


def test_the_lake_reconciles_and_checks_as_the_commands_do(world: World) -> None:
    with world.lake(at(3)) as lake:
        found = lake.reconcile("gold.daily_bars", "silver.day_bars", start=world.start)
        checked = lake.check("gold.daily_bars", rules=["daily_close_in_range"])
    assert set(found.columns) >= {"kind", "cause", "legal", "evidence"}
    assert found.notices
    assert checked.to_arrow()["rule"].to_pylist() == ["daily_close_in_range"]


@pytest.mark.services
def test_a_known_split_makes_a_mismatch_of_bases_and_the_basis_told_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = World(tmp_path, end=date(2025, 6, 5), symbols=20, datasets=(DAYS,))
    made.publish()
    made.backfill(at(1))
    days = {d: made.held(at(2), d, None, "day_bars") for d in (date(2025, 6, 2), date(2025, 6, 3))}
    symbol = str(days[date(2025, 6, 2)]["symbol"][0])
    actions = tmp_path / "actions.csv"
    actions.write_text(
        "symbol,ex_date,kind,ratio_from,ratio_to,cash,currency,known_from\n"
        f"{symbol},2025-06-03,split,1,4,,,2025-06-03T00:00:00-04:00\n"
    )
    assert asked(made, "ingest", "actions", "--source", f"csv:{actions}") == 0
    assert asked(made, "build") == 0
    prices = [pl.col(n) / 4 for n in ("open", "high", "low", "close")]
    first = days[date(2025, 6, 2)].with_columns(*prices, pl.col("volume") * 4)
    frames = [
        frame.filter(symbol=symbol).with_columns(time=pl.lit(day)).cast({pl.Decimal: pl.Float64})
        for day, frame in ((date(2025, 6, 2), first), (date(2025, 6, 3), days[date(2025, 6, 3)]))
    ]
    file = tmp_path / "adjusted.csv"
    columns = ("symbol", "time", "open", "high", "low", "close", "volume")
    pl.concat([f.select(columns) for f in frames]).write_csv(file)
    words = ("--symbols", symbol, "--to", "2025-06-03", "--format", "json")
    capsys.readouterr()
    assert asked(made, "reconcile", "silver.day_bars", f"csv:{file}", *words) == 3
    (found,) = rows(capsys)
    assert (found["kind"], found["cause"]) == ("BASIS_MISMATCH", "split_factor")
    assert json.loads(str(found["evidence"]))["action_ratio"] == 4
    assert asked(made, "reconcile", "silver.day_bars", f"csv:{file}?basis=split", *words) == 0
    assert rows(capsys) == []


def test_weeks_ask_for_whole_weeks_and_days_for_the_days_alone(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [
        world.held(at(3), day, None, "day_bars").with_columns(time=pl.lit(day))
        for day in (date(2025, 6, 2), date(2025, 6, 3))
    ]
    days = pl.concat(frames).sort("symbol", "time")
    columns = ("symbol", "time", "open", "high", "low", "close", "volume")
    daily, weekly = tmp_path / "days.csv", tmp_path / "weeks.csv"
    days.select(columns).write_csv(daily)
    days.group_by("symbol", maintain_order=True).agg(
        pl.lit("2025-06-02").alias("time"),
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    ).select(columns).write_csv(weekly)
    words = ("--date", "2025-06-03", "--format", "json")
    for side in (f"csv:{daily}", f"csv:{weekly}?interval=1w"):
        assert asked(world, "reconcile", "silver.day_bars", side, *words) == 0
        assert rows(capsys) == []
