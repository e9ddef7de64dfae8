"""Actions and instruments from a file to answers: versions, known times, renames, bases."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from ingot.cli.main import run
from ingot.errors import QueryError
from ingot.query.requests.request import Adjustment
from tests.support.small_market import Desk, day_bar, midnight, weekdays
from tests.support.world import MINUTES, World, at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingot.app.lake import Lake

ONE_DAY = timedelta(days=1)
DAYS_OF_JUNE = weekdays(date(2022, 6, 3), 8)
RENAMED = date(2022, 6, 9)
SATURDAY = date(2022, 6, 11)
SPLIT_DAY = date(2022, 6, 14)
NOW = datetime(2022, 7, 1, 16, tzinfo=UTC)
CLOSES = dict(zip(DAYS_OF_JUNE, (190, 194, 195, 196, 184, 176, 164, 41), strict=True))
ACTIONS = (
    "FB,2022-06-07,cash_dividend,,,1.94,,\n"
    "META,2022-06-14,split,1,4,,,\n"
    "OLD,2022-06-08,cash_dividend,,,3,EUR,\n"
)
SYMBOLS = (
    "BBG000MM2P62,FB,2012-05-18,2022-06-11,Meta Platforms,XNAS,CS,\n"
    "BBG000MM2P62,META,2022-06-11,,Meta Platforms,XNAS,CS,\n"
    "ETF1,META,2021-06-30,2022-01-28,Ball Metaverse,ARCX,ETF,\n"
    "OLD1,OLD,2015-01-02,2022-06-10,Old Company,XNYS,CS,\n"
)


def rows(lake: Lake, text: str, **how: Any) -> list[tuple[Any, ...]]:
    return lake.sql(text, **how).to_polars(exact=True).rows()


ALL_ACTIONS = (
    "select symbol, ex_date, ratio_to / ratio_from, cash from silver.corporate_actions order by all"
)


def test_a_file_is_a_declaration_a_change_and_a_withdrawal(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    texts = (
        "A,2022-06-20,cash_dividend,,,1,,\nB,2022-06-20,split,1,2,,,\n",
        "A,2022-06-20,cash_dividend,,,1.5,,\nB,2022-06-20,split,1,2,,,\n",
        "B,2022-06-20,split,1,2,,,\n",
        "",
    )
    seen = [datetime(2022, 6, day, 15, tzinfo=UTC) for day in (6, 7, 8, 9)]
    for now, text in zip(seen, texts, strict=True):
        assert desk.actions(now, text).exit_code == 0
        assert desk.build(now, RENAMED, SPLIT_DAY).exit_code == 0
    split = ("B", date(2022, 6, 20), 2.0, None)

    def paid(cash: str) -> tuple[object, ...]:
        return ("A", date(2022, 6, 20), None, Decimal(cash))

    with desk.lake(NOW) as lake:
        told = [rows(lake, ALL_ACTIONS, known_at=t + timedelta(hours=1)) for t in seen]
        assert told == [[paid("1"), split], [paid("1.5"), split], [split], []]
        assert rows(lake, ALL_ACTIONS, known_at=seen[0] - timedelta(hours=1)) == []
        assert rows(lake, ALL_ACTIONS) == []


def test_known_times_are_those_of_a_table_written_by_hand(tmp_path: Path) -> None:
    """SEMANTICS 2: the day after the declaration, never later than the ex-date; New York."""
    desk, folder = Desk(tmp_path), tmp_path / "rest"
    folder.mkdir()
    dividends = [
        ("declared early", "2022-06-20", "2022-05-02", "2022-05-03T04:00Z"),
        ("declared on the eve", "2022-06-20", "2022-06-19", "2022-06-20T04:00Z"),
        ("declared on the day", "2022-06-20", "2022-06-20", "2022-06-20T04:00Z"),
        ("declared after", "2022-06-20", "2022-06-28", "2022-06-20T04:00Z"),
        ("not declared", "2022-01-20", None, "2022-01-20T05:00Z"),
        ("more than 36 hours ago", "2022-06-29", None, "2022-06-29T04:00Z"),
        ("36 hours ago", "2022-06-30", None, "2022-07-01T16:00Z"),
        ("too near: observed", "2022-07-01", None, "2022-07-01T16:00Z"),
        ("announced, to come", "2022-08-01", "2022-06-10", "2022-06-11T04:00Z"),
        ("to come", "2022-08-01", None, "2022-07-01T16:00Z"),
    ]
    results = [
        {
            "id": name,
            "ticker": f"S{n}",
            "ex_dividend_date": ex_date,
            "cash_amount": 1,
            "currency": "USD",
        }
        | ({"declaration_date": declared} if declared else {})
        for n, (name, ex_date, declared, _) in enumerate(dividends)
    ]
    body = json.dumps({"status": "OK", "results": results})
    (folder / "stocks__v1__dividends.json").write_text(body)
    splits = [{"id": "s", "ticker": "SPL", "execution_date": "2022-03-14", "split_from": 1}]
    splits[0] |= {"split_to": 2, "adjustment_type": "forward_split"}
    body = json.dumps({"status": "OK", "results": splits})
    (folder / "stocks__v1__splits.json").write_text(body)
    assert desk.load(NOW, "actions", "massive", folder).exit_code == 0
    assert desk.build(NOW, RENAMED, SPLIT_DAY).exit_code == 0
    text = "select action_id, known_from from silver.corporate_actions_history"
    with desk.lake(NOW) as lake:
        found = dict(rows(lake, text))
    expected = {name: datetime.fromisoformat(known) for name, _, _, known in dividends}
    # From 00:00 New York of 2022-06-30 to when the answers were seen are exactly 36 hours.
    assert found == expected | {"s": datetime(2022, 3, 14, 4, tzinfo=UTC)}


def test_a_stated_time_counts_and_says_nothing_before(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.actions(NOW, "A,2022-06-20,split,1,2,,,2022-05-05T09:00-04:00\n")
    desk.build(NOW, RENAMED, SPLIT_DAY)
    stated = datetime(2022, 5, 5, 13, tzinfo=UTC)
    with desk.lake(NOW) as lake:
        assert len(rows(lake, ALL_ACTIONS, known_at=stated)) == 1
        assert rows(lake, ALL_ACTIONS, known_at=stated - timedelta(microseconds=1)) == []


def test_the_end_of_a_holding_is_not_known_before_it_came(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.instruments(NOW, SYMBOLS).exit_code == 0
    desk.build(NOW, RENAMED, SPLIT_DAY)
    text = "select symbol, valid_to from silver.instruments where instrument_id = 'BBG000MM2P62'"
    with desk.lake(NOW) as lake:
        before = rows(lake, text, known_at=midnight(SATURDAY) - timedelta(microseconds=1))
        after = rows(lake, f"{text} order by symbol", known_at=midnight(SATURDAY))
    assert before == [("FB", date(9999, 12, 31))]
    assert after == [("FB", SATURDAY), ("META", date(9999, 12, 31))]


def test_of_two_files_of_a_source_the_later_word_counts_from_when_it_was_said(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.actions(at(1), "A,2022-06-20,cash_dividend,,,1,,\nB,2022-06-20,split,1,2,,,\n", "one.csv")
    desk.build(at(1), RENAMED, SPLIT_DAY)
    desk.actions(at(3), "A,2022-06-20,cash_dividend,,,2,,\nC,2022-06-20,split,1,2,,,\n", "two.csv")
    desk.build(at(3), RENAMED, SPLIT_DAY)
    desk.actions(at(5), "C,2022-06-20,split,1,2,,,\n", "two.csv")
    desk.build(at(5), RENAMED, SPLIT_DAY)
    text = "select symbol, cash from silver.corporate_actions order by symbol"
    one, two = Decimal(1), Decimal(2)
    with desk.lake(at(6)) as lake:
        told = {day: rows(lake, text, known_at=at(day)) for day in (2, 4)}
        past = rows(lake, text, known_at="2022-07-01")
        assert told == {
            2: [("A", one), ("B", None), ("C", None)],
            4: [("A", two), ("B", None), ("C", None)],
        }, "C's own first word is a backfill: assumed known on its ex-date"
        assert past == told[2], "what file two says of A was nobody's word in 2022"
        assert rows(lake, text) == told[2], "file two withdrew its word; file one's stands"


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        ("A,2022-06-20,split,1,x,,,\nB,2022-06-20,split,1,2,,,\n", ["A", "B"]),
        (",2022-06-20,split,1,2,,,\nB,2022-06-20,split,1,2,,,\n", ["A", "B"]),
        ("C,2022-06-20,split,1,x,,,\nB,2022-06-20,split,1,2,,,\n", ["B"]),
    ],
    ids=["the row itself", "a row without a symbol", "another symbol's"],
)
def test_a_row_that_is_refused_is_no_withdrawal(
    tmp_path: Path, second: str, kept: list[str]
) -> None:
    desk = Desk(tmp_path, {"INGOT_QUARANTINE_LIMIT_PCT": "60"})
    desk.actions(at(1), "A,2022-06-20,split,1,2,,,\nB,2022-06-20,split,1,2,,,\n")
    desk.build(at(1), RENAMED, SPLIT_DAY)
    assert desk.actions(at(2), second).exit_code in {0, 3}
    desk.build(at(2), RENAMED, SPLIT_DAY)
    text = "select symbol from silver.corporate_actions order by symbol"
    with desk.lake(at(3)) as lake:
        assert [symbol for (symbol,) in rows(lake, text)] == kept
    desk.actions(at(4), "B,2022-06-20,split,1,2,,,\n")
    desk.build(at(4), RENAMED, SPLIT_DAY)
    with desk.lake(at(5)) as lake:
        assert [symbol for (symbol,) in rows(lake, text)] == ["B"], "a good file withdraws it"


@pytest.mark.services
def test_a_long_list_that_lost_its_rows_is_held_until_accepted(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    lines = [f"S{n:03},2022-06-20,split,1,2,,,\n" for n in range(300)]
    assert desk.actions(at(1), "".join(lines)).exit_code == 0
    desk.build(at(1), RENAMED, SPLIT_DAY)
    assert desk.actions(at(2), "".join(lines[:200])).exit_code == 3
    desk.build(at(2), RENAMED, SPLIT_DAY)
    with desk.lake(at(3)) as lake:
        count = "select count(*) from silver.corporate_actions"
        assert rows(lake, count) == [(300,)]
        (landing,) = rows(
            lake,
            "select landing_id from ops.landings where source = 'csv' and in_force_from is null",
        )
    assert run(["--lake", str(desk.world.root), "landings", "accept", str(landing[0])]) == 0
    later = datetime.now(UTC) + timedelta(minutes=1)
    desk.build(later, RENAMED, SPLIT_DAY)
    with desk.lake(later) as lake:
        assert rows(lake, count) == [(200,)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Load eight days around FB's rename, of day and minute bars, a dividend and a split."""
    desk = Desk(tmp_path_factory.mktemp("meta"))
    bars = [day_bar("META" if day >= RENAMED else "FB", day, str(c)) for day, c in CLOSES.items()]
    bars += [day_bar("OLD", day, "7") for day in DAYS_OF_JUNE if day < date(2022, 6, 10)]
    bars += [day_bar("ZZZ", day, "5", volume=10) for day in DAYS_OF_JUNE]
    desk.publish(bars)
    at_ten = timedelta(hours=10)
    desk.publish((replace(b, start=b.start + at_ten) for b in bars), MINUTES)
    for dataset in (desk.world.datasets[0], MINUTES):
        assert desk.load_bars(NOW, DAYS_OF_JUNE, dataset).exit_code == 0
    assert desk.actions(NOW, ACTIONS).exit_code == 0
    assert desk.instruments(NOW, SYMBOLS).exit_code == 0
    assert desk.build(NOW, DAYS_OF_JUNE[0], DAYS_OF_JUNE[-1] + ONE_DAY).exit_code == 0
    return desk


@pytest.fixture
def lake(desk: Desk) -> Lake:
    return desk.lake(NOW)


def closes(answer: Any) -> list[float]:
    return [float(c) for c in answer.to_polars()["close"]]


@pytest.mark.parametrize("symbol", ["META", "FB"])
def test_meta_is_read_through_its_rename_on_a_weekend_date(lake: Lake, symbol: str) -> None:
    answer = lake.bars(symbol, symbol_date="2022-06-30" if symbol == "META" else "2022-06-03")
    frame = answer.to_polars()
    assert closes(answer) == list(map(float, CLOSES.values()))
    assert set(frame["symbol"]) == {symbol}
    traded = dict(zip(frame["trade_date"], frame["source_symbol"], strict=True))
    assert {d: s for d, s in traded.items() if s == "META"}.keys() == set(DAYS_OF_JUNE[4:])
    said = " ".join(answer.notices)
    assert "FB before 2022-06-09" in said
    assert ("Ball Metaverse" in said) == (symbol == "META")


def test_a_range_that_ends_between_the_rename_and_its_date_has_all_its_bars(lake: Lake) -> None:
    """2022-06-09 and 10 are META's bars, although the source dates the rename 2022-06-11."""
    for symbol in ("FB", "META"):
        for end, count in [(date(2022, 6, 10), 5), (date(2022, 6, 11), 6)]:
            on = "2022-06-08" if symbol == "FB" else None
            assert len(lake.bars(symbol, start="2022-06-03", end=end, symbol_date=on)) == count


def test_literally_a_symbol_has_its_own_bars_only(lake: Lake) -> None:
    assert closes(lake.bars("META", follow=False)) == [184.0, 176.0, 164.0, 41.0]
    assert closes(lake.bars("FB", follow=False)) == [190.0, 194.0, 195.0, 196.0]


@pytest.mark.services
def test_a_gap_is_filled_across_the_rename(lake: Lake, desk: Desk) -> None:
    del desk
    wide = lake.bars("META", "OLD", fill="previous", layout="wide", basis="split").to_polars()
    assert wide.columns == ["trade_date", "META", "OLD"]
    adjusted = [c / 4 for c in list(CLOSES.values())[:7]] + [41.0]
    assert wide["META"].to_list() == adjusted
    assert wide["OLD"].to_list()[:5] == [7.0] * 5


def test_a_dividend_under_the_old_symbol_adjusts_the_instrument(lake: Lake) -> None:
    """1.94 of 194.00, the close of 2022-06-06, is 1 %."""
    found = closes(lake.bars("META", basis="total_return"))
    expected = [c / 4 * (0.99 if d < date(2022, 6, 7) else 1) for d, c in CLOSES.items()]
    assert found == pytest.approx([*expected[:-1], 41.0], rel=1e-15)


TABLES = {"silver.day_bars": {}, "gold.daily_bars": {"session": "regular"}}
MINUTE = {"silver.minute_bars": {"interval": "1m"}}


@pytest.mark.parametrize("basis", ["raw", "split", "total_return"])
@pytest.mark.parametrize("table", [*TABLES, *MINUTE])
def test_sql_on_a_basis_equals_bars_on_it(lake: Lake, table: str, basis: Any) -> None:
    how: dict[str, Any] = (TABLES | MINUTE)[table]
    columns = "trade_date, open, high, low, close, volume"
    text = f"select symbol, {columns} from {table} order by trade_date, symbol"
    by_sql = lake.sql(text, basis=basis).to_polars()
    everything = lake.bars(basis=basis, **how).to_polars().select(by_sql.columns)
    assert everything.sort("trade_date", "symbol").rows() == by_sql.rows()
    meta = lake.bars("META", basis=basis, **how).to_polars().select(columns.split(", "))
    own = by_sql.filter(pl.col("symbol").is_in(["FB", "META"])).select(columns.split(", "))
    assert own.rows() == meta.rows()


def test_bronze_and_performance_stay_what_they_are_on_a_basis(lake: Lake) -> None:
    for text in (
        "select close from bronze.day_bars order by all",
        "select basis, close from gold.performance order by all",
    ):
        assert rows(lake, text, basis="split") == rows(lake, text)


def test_an_action_that_cannot_be_applied_is_named_or_refused(lake: Lake) -> None:
    answer = lake.bars("OLD", basis="total_return")
    assert answer.unapplied_actions == ("cash_dividend 3 EUR of OLD on 2022-06-08 (csv)",)
    assert closes(answer) == [7.0] * 5
    with pytest.raises(QueryError, match="1 action cannot be applied on basis total_return"):
        lake.bars("OLD", basis=Adjustment("total_return", strict=True))
    assert lake.bars("OLD", basis=Adjustment("split", strict=True)).unapplied_actions == ()


def test_performance_on_a_basis_is_the_return_of_that_basis(lake: Lake) -> None:
    text = (
        "select basis, return_1d from gold.performance "
        "where symbol = 'META' and trade_date = DATE '2022-06-14' order by basis"
    )
    expected = [("raw", 41 / 164 - 1), ("split", 0.0), ("total_return", 0.0)]
    assert dict(rows(lake, text)) == pytest.approx(dict(expected), abs=1e-12)


Ended = tuple[int, list[dict[str, str]], str]


@pytest.fixture
def ingot(desk: Desk, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Ended]:
    """Run a command on the lake, in this process."""

    def call(*words: str) -> Ended:
        code = run(["--lake", str(desk.world.root), *words])
        captured = capsysbinary.readouterr()
        return code, list(csv.DictReader(io.StringIO(captured.out.decode()))), captured.err.decode()

    return call


def test_resolve_prints_every_symbol_of_the_holder(ingot: Callable[..., Ended]) -> None:
    code, found, said = ingot("resolve", "META", "--date", "2022-06-09", "--format", "csv")
    assert code == 0
    names = ("symbol", "valid_from", "trades_from", "holds_on_date")
    assert [tuple(row[n] for n in names) for row in found] == [
        ("FB", "2012-05-18", "2012-05-18", "false"),
        ("META", "2022-06-11", "2022-06-09", "true"),
    ]
    assert "META is also held by Ball Metaverse (ETF1), 2021-06-30 to 2022-01-28" in said
    code, found, said = ingot("resolve", "META", "--date", "2022-03-01", "--format", "csv")
    assert (code, found) == (0, [])
    assert "no instrument holds META on 2022-03-01: the symbol is read literally" in said


def test_the_universe_of_a_date_has_who_traded_then(ingot: Callable[..., Ended]) -> None:
    def symbols(*words: str) -> list[str]:
        code, found, _ = ingot("universe", "--format", "csv", *words)
        assert code == 0
        return [row["symbol"] for row in found]

    assert symbols("--date", "2022-06-03") == ["FB", "OLD", "ZZZ"], "OLD, gone since, is there"
    assert symbols("--date", "2022-06-14") == ["META", "ZZZ"]
    rule = "type = 'CS' and dollar_volume >= 10000"
    assert symbols("--date", "2022-06-03", "--rule", rule) == ["FB"]
    assert symbols("--date", "2022-06-03", "--rule", "instrument_id is null") == ["ZZZ"]
    assert symbols("--date", "2022-06-03", "--known-at", "2022-06-03") == []


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("close > 5,", "gives struct<"),
        ("close", "gives decimal128(18, 6) and not true or false"),
        ("name || 'x'", "gives string and not true or false"),
        ("all close > 5", "cannot be evaluated"),
        ("name > 5", "cannot be evaluated"),
        ("close > 'x'::lake.own", "cannot be evaluated"),
        ("list_resize([1], 99999999) is null", "cannot be evaluated"),
    ],
)
def test_a_rule_that_is_not_true_or_false_is_refused(lake: Lake, rule: str, fault: str) -> None:
    with pytest.raises(QueryError, match=re.escape(f"The rule {rule!r} {fault}")) as caught:
        lake.universe("2022-06-03", rule=rule)
    assert "Error" not in str(caught.value)


def test_a_refused_rule_ends_the_command_with_its_words(ingot: Callable[..., Ended]) -> None:
    rule = "true) union select * from silver.day_bars where (true"
    code, found, message = ingot("universe", "--date", "2022-06-03", "--rule", rule)
    assert (code, found) == (2, [])
    assert f"The rule {rule!r} cannot be read as a condition" in message


def test_the_simulators_actions_and_reused_symbols_are_read_from_its_answers(
    tmp_path: Path,
) -> None:
    """Truth: truth/actions and truth/instruments beside the REST bodies."""
    world = World(tmp_path, symbols=120, datasets=("us_options_opra/day_aggs_v1",))
    world.publish()
    desk = Desk(tmp_path)
    for dataset in ("actions", "instruments"):
        assert desk.load(at(1), dataset, "massive", world.tree / "rest").exit_code == 0
    desk.build(at(1), world.start, world.end)
    truth = pl.read_parquet(world.tree / "truth" / "actions" / "stage=1.parquet")
    held = pl.read_parquet(world.tree / "truth" / "instruments.parquet")
    with desk.lake(at(2)) as lake:
        found = rows(lake, "select symbol, ex_date, cash from silver.corporate_actions")
        spans = rows(lake, "select symbol, instrument_id from silver.instruments")
    published = {(r["ticker"], r["ex_date"]) for r in truth.to_dicts()}
    assert {(symbol, ex_date) for symbol, ex_date, _ in found} == published
    holders = held.group_by("ticker").len().filter(pl.col("len") > 1)
    for symbol in holders["ticker"]:
        assert len({i for s, i in spans if s == symbol}) > 1, f"{symbol} is reused"
