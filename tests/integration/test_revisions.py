"""Revisions against the simulator's truth: what each stage changed, and who used the old value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest

from ingot.cli.main import run
from ingot.errors import QueryError
from ingot.tables.gold import PERFORMANCE
from tests.support.world import BAR, DAYS, MINUTES, World, at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.app.lake import Lake

TRADED = [date(2025, 6, 2), date(2025, 6, 3)]
INTERVALS = {"1m": MINUTES, "1d": DAYS}
KEY = ["symbol", "bar_start_ns"]


@dataclass(frozen=True)
class Story:
    """A lake that exported before and after a correction."""

    world: World
    before: str
    """Id of an export of the old bars."""
    after: str


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Load two days, export, correct, export."""
    world = World(tmp_path_factory.mktemp("revised"), symbols=20, end=date(2025, 6, 4))
    out = tmp_path_factory.mktemp("out")
    world.publish()
    world.backfill(at(1))
    with world.lake(at(2)) as lake:
        before = lake.export(out / "a", interval="1m").manifest.export_id
    world.publish(stage=2)
    world.backfill(at(3))
    with world.lake(at(4)) as lake:
        after = lake.export(out / "b", interval="1m").manifest.export_id
    return Story(world, before, after)


@pytest.fixture
def lake(story: Story) -> Iterator[Lake]:
    """Open the lake after all that."""
    with story.world.lake(at(5)) as lake:
        yield lake


def differences(world: World, interval: str) -> set[tuple[object, ...]]:
    """Return what the truth of stage 2 changed of stage 1: kind, key, column, old and new."""
    found: set[tuple[object, ...]] = set()
    for day in TRADED:
        old, new = (world.published(stage, day, INTERVALS[interval]) for stage in (1, 2))
        both = old.join(new, on=KEY, how="full", suffix="_new", coalesce=True)
        for row in both.iter_rows(named=True):
            key = (row["symbol"], row["bar_start_ns"])
            if row["open_new"] is None:
                found.add(("withdrawn", *key, "close", number(row["close"]), None))
            elif row["open"] is None:
                found.add(("added", *key, "close", None, number(row["close_new"])))
            else:
                pairs = ((c, number(row[c]), number(row[f"{c}_new"])) for c in BAR)
                found |= {("changed", *key, c, a, b) for c, a, b in pairs if a != b}
    return found


def number(value: object) -> float:
    return float(str(value))


@pytest.mark.parametrize("interval", INTERVALS)
def test_revisions_are_what_the_vendor_changed(story: Story, lake: Lake, interval: str) -> None:
    columns = ["kind", *KEY, "column_name", "old_value", "new_value"]
    rows = lake.sql(
        f"select {', '.join(columns)} from silver.revisions where interval = '{interval}'"
    ).to_polars()
    expected = differences(story.world, interval)
    assert set(rows.iter_rows()) == expected
    assert len(rows) == len(expected)
    assert {"changed", "withdrawn"} <= {row[0] for row in expected}


def test_nothing_was_revised_before_it_was(lake: Lake) -> None:
    assert len(lake.sql("select * from silver.revisions", known_at=at(2))) == 0
    assert len(lake.revisions(known_at=at(2))) == 0
    assert len(lake.revisions(since=at(4))) == 0
    revised = lake.revisions(since=at(3)).to_polars()
    assert set(revised["replaced_from"]) == {at(1)}
    assert set(revised["revised_at"]) == {at(3)}
    assert len(revised) == len(lake.revisions())


def test_a_change_says_by_how_much(lake: Lake) -> None:
    rows = lake.revisions(interval="1m").to_polars().filter(kind="changed")
    by_hand = (pl.col("new_value") - pl.col("old_value")).round(6)
    assert rows["change"].round(6).equals(rows.select(by_hand.alias("change"))["change"])
    share = rows["change"] * 100 / rows["old_value"]
    assert (rows["change_pct"] - share).abs().max() < 1e-9  # type: ignore[operator]  # a float


def test_the_export_that_used_the_old_value_is_named_and_the_later_one_is_not(
    story: Story, lake: Lake
) -> None:
    exports = lake.revisions(interval="1m").to_polars()["exports"]
    assert set(exports) == {story.before}
    assert set(lake.revisions(interval="1d").to_polars()["exports"]) == {None}
    assert story.after not in set(exports)


def test_gold_that_used_the_old_value_is_named(lake: Lake) -> None:
    rows = lake.revisions().to_polars()
    minutes = rows.filter(interval="1m")
    assert set(minutes["silver_day"]) == {date(2025, 6, 3)}
    replaced = lake.sql(
        "select distinct symbol from gold.daily_bars_history where known_to < '9999-01-01'"
    ).to_polars()
    used = minutes.filter(pl.col("gold_daily_bars").is_not_null())
    assert set(used["symbol"]) == set(replaced["symbol"])


def test_a_symbol_a_day_and_an_interval_narrow_the_list(lake: Lake) -> None:
    whole = lake.revisions().to_polars()
    symbol = whole["symbol"][0]
    narrow = lake.revisions(symbol, start="2025-06-03", end="2025-06-04", interval="1m")
    expected = whole.filter(symbol=symbol, interval="1m")
    assert narrow.to_polars().equals(expected)
    assert len(lake.revisions(start="2025-06-02", end="2025-06-03")) == 0
    with pytest.raises(QueryError, match="revisions are kept of 1m and 1d bars"):
        lake.revisions(interval="5m")


def test_revisions_are_exported_and_replayed(story: Story, lake: Lake, tmp_path: Path) -> None:
    lake.export(tmp_path / "a", query="select * from silver.revisions", format="csv")
    assert lake.replay(tmp_path / "a", tmp_path / "b").kept == "bytes"
    assert story.world.root.is_dir()


def test_what_may_change_past_answers_is_listed(story: Story, lake: Lake) -> None:
    stated = lake.retroactive().to_polars().filter(exception="stated")
    assert set(stated["first_date"]) == set(TRADED)
    assert stated.filter(pl.col("answers_from") != pl.col("happened_at")).is_empty()
    assert len(stated) == len(lake.sql("select * from ops.landings where rule <> 'sessions:none'"))

    other = replace(story.world, environ={"INGOT_RISK_FREE_RATE": "0.04"})
    other.build(at(6))
    with other.lake(at(7)) as later:
        rules = later.retroactive().to_polars().filter(exception="new_rules")
    assert rules["affects"].to_list() == [f"{PERFORMANCE.name}: 1 units"]
    assert rules["happened_at"].to_list() == [at(6)]
    assert "transform" in rules["why"][0]


def test_a_file_that_came_late_is_an_assumption(story: Story, tmp_path: Path) -> None:
    """Load with the machine's own clock, a year after the fact."""
    lake = str(tmp_path / "lake")
    words = ["ingest", "massive", "--source", str(story.world.tree), "--dataset", DAYS]
    assert run(["--lake", lake, "init"]) == 0
    assert run(["--lake", lake, *words, "--from", "2025-06-02", "--to", "2025-06-02"]) == 0
    out = tmp_path / "list.json"
    assert run(["--lake", lake, "revisions", "--retroactive", "--out", str(out)]) == 0
    (row,) = pl.read_json(out).to_dicts()
    assert row["exception"] == "assumed"
    assert row["answers_from"] == "2025-06-03T15:00:00Z"
    assert row["happened_at"] > row["answers_from"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--retroactive", "--date", "2025-06-02"], "Leave the other options out"),
        (["--date", "2025-06-02", "--from", "2025-06-01"], "Write one of the two"),
        (["--date", "monday"], "--date was 'monday'"),
        (["--since", "9999-01-01"], "is in the future"),
    ],
)
def test_words_that_do_not_fit_are_refused(
    story: Story, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--lake", str(story.world.root), "revisions", *words]) == 2
    assert message in capsys.readouterr().err
