"""gold.performance follows instruments: against closes walked by hand, symbol by symbol.

GOOG, GOOGL and GOOCV close on 2014-04-02 and 03 as published: on the 3rd class A became GOOGL,
and class C, until then GOOCV, became GOOG. All other prices are made up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from ingot.app.operate.rebuild import RebuildRequest, rebuild
from ingot.app.refine import performance_month
from ingot.cli.main import run
from tests.support.small_market import Desk, day_bar, weekdays

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.recorded_bars import Bar

pytestmark = pytest.mark.services  # ten seconds to load

DATES = weekdays(date(2014, 4, 1), 11)
END = DATES[-1] + timedelta(days=1)
NOW = datetime(2014, 5, 1, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
CORRECTED = date(2014, 4, 2)
LEARNED = datetime(2014, 4, 10, 12, tzinfo=UTC)
GOOG_DAY = date(2014, 4, 3)
PUBLISHED = {
    ("GOOG", date(2014, 4, 2)): "1135.10",
    ("GOOCV", date(2014, 4, 2)): "567.00",
    ("GOOG", GOOG_DAY): "569.74",
    ("GOOGL", GOOG_DAY): "571.50",
}
Spans = tuple[tuple[str, date, date], ...]
"""Symbols of one company, and the dates on which its bars have them, half-open."""


def named(*symbols: str, on: tuple[date, ...] = ()) -> Spans:
    bounds = (DATES[0], *on, END)
    return tuple(zip(symbols, bounds, bounds[1:], strict=False))


COMPANIES: dict[str, Spans] = {
    "Google A": named("GOOG", "GOOGL", on=(GOOG_DAY,)),
    "Google C": named("GOOCV", "GOOG", on=(GOOG_DAY,)),
    "renamed on a Saturday": named("FB", "META", on=(date(2014, 4, 10),)),
    "renamed in a map file": named("PP", "QQ", on=(date(2014, 4, 4),)),
    "renamed, learned later": named("LRN", "LRX", on=(date(2014, 4, 4),)),
    "gone": (("OLD", DATES[0], date(2014, 4, 7)),),
    "its heir": (("OLD", date(2014, 4, 7), END),),
    "in no list": named("ZZZ"),
    "pays too much": named("BIG"),
    "spins off": named("SPN"),
}
INSTRUMENTS = (
    "A,GOOG,2004-08-19,2014-04-03,,,,\nA,GOOGL,2014-04-03,,,,,\n"
    "C,GOOCV,2014-03-27,2014-04-03,,,,\nC,GOOG,2014-04-03,,,,,\n"
    "M,FB,2012-05-18,2014-04-12,,,,\nM,META,2014-04-12,,,,,\n"
    "L,LRN,2010-01-04,2014-04-04,,,,2014-04-10T12:00:00Z\nL,LRX,2014-04-04,,,,,2014-04-10T12:00:00Z\n"
    "O1,OLD,2010-01-04,2014-04-07,,,,\nO2,OLD,2014-04-07,,,,,\n"
    "B,BIG,2010-01-04,,,,,\nS,SPN,2010-01-04,,,,,\n"
)
MAP_FILE = "20100104,pp,N\n20140403,pp,N\n20501231,qq,N\n"
ACTIONS = (
    "GOOGL,2014-04-03,split,1000,1998,,,\n"
    "META,2014-04-14,split,1,4,,,\n"
    "FB,2014-04-03,cash_dividend,,,1.5,,\n"
    "ZZZ,2014-04-07,cash_dividend,,,2,,\n"
    "ZZZ,2014-04-08,cash_dividend,,,1,EUR,\n"
    "BIG,2014-04-08,cash_dividend,,,2300,,\n"
    "SPN,2014-04-09,spin_off,,,,,\n"
)
SPLITS = {("GOOGL", GOOG_DAY): Fraction(1998, 1000), ("META", date(2014, 4, 14)): Fraction(4)}
CASH = {("FB", date(2014, 4, 3)): Fraction("1.5"), ("ZZZ", date(2014, 4, 7)): Fraction(2)}


def close(company: str, symbol: str, day: date) -> Decimal:
    n = DATES.index(day)
    base = Decimal(100 + 10 * list(COMPANIES).index(company))
    price = base + n % 5 + Decimal(n) / 10
    if symbol == "META" and day >= date(2014, 4, 14):
        price = (price / 4).quantize(Decimal("0.01"))
    if company == "spins off" and day >= date(2014, 4, 9):
        price = price / 2
    return Decimal(PUBLISHED.get((symbol, day), price))


def bars() -> list[Bar]:
    return [
        day_bar(symbol, day, close(company, symbol, day))
        for company, spans in COMPANIES.items()
        for symbol, start, end in spans
        for day in DATES
        if start <= day < end
    ]


Rows = dict[tuple[str, date, str], dict[str, Any]]


@dataclass(frozen=True)
class Loaded:
    """Performance of the lake at each stage."""

    desk: Desk
    without: Rows
    """Before any instrument is loaded."""
    whole: Rows
    corrected: Rows
    """After one close of FB is corrected, long before it is META."""

    def at(self, known_at: datetime) -> Rows:
        with self.desk.lake(NOW + 3 * HOUR) as lake:
            return performance(lake.sql("select * from gold.performance", known_at=known_at))


def performance(answer: Any) -> Rows:
    found = answer.to_arrow().to_pylist()
    return {(row["symbol"], row["trade_date"], row["basis"]): row for row in found}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    desk = Desk(tmp_path_factory.mktemp("performance"))

    def built(now: datetime) -> Rows:
        assert desk.build(now, DATES[0], END).exit_code == 0
        with desk.lake(now) as lake:
            return performance(lake.sql("select * from gold.performance"))

    desk.publish(bars())
    assert desk.load_bars(NOW, DATES).exit_code == 0
    assert desk.actions(NOW, ACTIONS).exit_code == 0
    without = built(NOW)
    maps = desk.folder / "lean" / "map_files"
    maps.mkdir(parents=True)
    (maps / "qq.csv").write_text(MAP_FILE)
    assert desk.instruments(NOW + HOUR, INSTRUMENTS).exit_code == 0
    assert desk.load(NOW + HOUR, "instruments", "lean", maps.parent).exit_code == 0
    whole = built(NOW + HOUR)
    desk.publish(
        day_bar(b.symbol, b.day, "999") if (b.symbol, b.day) == ("FB", CORRECTED) else b
        for b in bars()
    )
    assert desk.load_bars(NOW + 2 * HOUR, [CORRECTED]).exit_code == 0
    return Loaded(desk, without, whole, built(NOW + 2 * HOUR))


def by_hand(companies: dict[str, Spans], basis: str, *, corrected: bool = False) -> Rows:
    """Return the rows of companies that trade under these symbols, each close by its rank."""
    rows: Rows = {}
    for spans in companies.values():
        days = [(d, s) for d in DATES for s, start, end in spans if start <= d < end]
        level, before = Fraction(1), None
        levels: list[Fraction] = []
        for day, symbol in days:
            price = Fraction(_traded(symbol, day, corrected=corrected))
            if before is not None:
                # All actions of this market are written under the symbol of their day.
                ratio = SPLITS.get((symbol, day), Fraction(1)) if basis != "raw" else Fraction(1)
                cash = CASH.get((symbol, day), Fraction(0)) if basis == "total_return" else 0
                level *= (price * ratio + cash * ratio) / before
            r = float(level / levels[-1] - 1) if levels else None
            before = price
            levels.append(level)
            rows[symbol, day, basis] = {
                "return_1d": r,
                "drawdown": float(level / max(levels) - 1),
                "observations_90d": len(levels) - 1,
                "history_from": days[0][0],
                "suspect_action": _is_suspect(symbol, day, r or 0, basis),
            }
    return rows


def _traded(symbol: str, day: date, *, corrected: bool) -> Decimal:
    if corrected and (symbol, day) == ("FB", CORRECTED):
        return Decimal(999)
    return next(
        close(company, s, day)
        for company, spans in COMPANIES.items()
        for s, start, end in spans
        if s == symbol and start <= day < end
    )


def _is_suspect(symbol: str, day: date, r: float, basis: str) -> bool:
    if basis == "raw":
        return abs(r) > 0.4
    events = {("BIG", date(2014, 4, 8)), ("SPN", date(2014, 4, 9))}
    return basis == "total_return" and (symbol, day) in events


def assert_by_hand(found: Rows, expected: Rows) -> None:
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        for name, wanted in row.items():
            value = found[key][name]
            if isinstance(wanted, float):
                assert value == pytest.approx(wanted, rel=1e-12, abs=1e-12), (key, name)
            else:
                assert value == wanted, (key, name)


BASES = ("raw", "split", "total_return")


def all_by_hand(companies: dict[str, Spans], *, corrected: bool = False) -> Rows:
    return {
        key: row
        for basis in BASES
        for key, row in by_hand(companies, basis, corrected=corrected).items()
    }


def test_without_instruments_every_symbol_is_one(loaded: Loaded) -> None:
    symbols = sorted({symbol for spans in COMPANIES.values() for symbol, _, _ in spans})
    alone = {
        s: tuple(span for spans in COMPANIES.values() for span in spans if span[0] == s)
        for s in symbols
    }
    assert_by_hand(loaded.without, all_by_hand(alone))


def test_windows_go_on_over_renames_and_begin_anew_with_another_holder(loaded: Loaded) -> None:
    """Renamed on a Saturday, in a map file, or learned later; reused by a new or an old company."""
    assert_by_hand(loaded.whole, all_by_hand(COMPANIES))


def test_class_c_does_not_continue_class_a_as_goog(loaded: Loaded) -> None:
    assert loaded.without["GOOG", GOOG_DAY, "split"]["return_1d"] == pytest.approx(
        569.74 / 1135.10 - 1
    )
    goog, googl = (loaded.whole[s, GOOG_DAY, "split"] for s in ("GOOG", "GOOGL"))
    assert goog["return_1d"] == pytest.approx(569.74 / 567 - 1, rel=1e-12)
    assert googl["return_1d"] == pytest.approx(571.50 * 1.998 / 1135.10 - 1, rel=1e-12)
    assert (goog["history_from"], googl["history_from"]) == (DATES[0], DATES[0])


def test_a_close_under_the_old_symbol_is_corrected_in_the_windows_of_the_new_one(
    loaded: Loaded,
) -> None:
    assert_by_hand(loaded.corrected, all_by_hand(COMPANIES, corrected=True))
    before, after = (rows["META", DATES[-1], "raw"] for rows in (loaded.whole, loaded.corrected))
    assert before["drawdown"] != after["drawdown"]
    assert loaded.at(NOW + HOUR) == loaded.whole


def test_a_rename_that_is_learned_later_is_not_known_before(loaded: Loaded) -> None:
    key = ("LRX", date(2014, 4, 8), "raw")
    before, after = (loaded.at(LEARNED + n * HOUR)[key] for n in (-1, 1))
    assert (before["history_from"], before["observations_90d"]) == (date(2014, 4, 4), 2)
    assert (after["history_from"], after["observations_90d"]) == (DATES[0], 5)


def test_a_dividend_of_more_than_the_close_is_applied_by_neither_bars_nor_performance(
    loaded: Loaded,
) -> None:
    with loaded.desk.lake(NOW + 3 * HOUR) as lake:
        answer = lake.bars("BIG", basis="total_return")
    assert [text.split(" (")[0] for text in answer.unapplied_actions] == [
        "cash_dividend 2300 USD of BIG on 2014-04-08"
    ]
    row = loaded.whole["BIG", date(2014, 4, 8), "total_return"]
    assert abs(row["return_1d"]) < 0.1
    assert row["suspect_action"]
    assert not loaded.whole["ZZZ", date(2014, 4, 8), "total_return"]["suspect_action"]


def test_a_command_shows_where_a_window_begins(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "select history_from from gold.performance where symbol = 'META' "
        "and trade_date = DATE '2014-04-15' and basis = 'raw'"
    )
    assert run(["--lake", str(loaded.desk.world.root), "sql", text, "--format", "csv"]) == 0
    assert capsys.readouterr().out == "history_from\n2014-04-01\n"


def test_running_again_changes_nothing(loaded: Loaded) -> None:
    report = loaded.desk.build(NOW + 4 * HOUR, DATES[0], END)
    assert [day for day in report.days if day.table == "gold.performance"] == []


def test_a_day_that_is_added_gives_the_rows_of_a_month_made_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performance_month, "_FEW", 2)
    desk = Desk(tmp_path)
    desk.publish(bars())
    desk.actions(NOW, ACTIONS)
    desk.instruments(NOW, INSTRUMENTS)
    for hour, days in enumerate((DATES[:-1], DATES[-1:])):
        now = NOW + hour * HOUR
        assert desk.load_bars(now, days).exit_code == 0
        assert desk.build(now, DATES[0], END).exit_code == 0
    now = NOW + 2 * HOUR
    text = "select * from gold.performance_history order by symbol, trade_date, basis, known_from"
    with desk.lake(now) as lake:
        found = lake.sql(text).to_arrow()
    parts = desk.parts(now)
    request = RebuildRequest("gold.performance", DATES[0], END)
    assert [day.rows for day in rebuild(parts, request).days] == [found.num_rows]
    parts.close()
    with desk.lake(now) as lake:
        at_once = lake.sql(text).to_arrow()
    assert found.num_rows >= len(bars()) * 3
    floats = [f.name for f in found.schema if f.type == pa.float64()]
    assert found.drop_columns(floats).equals(at_once.drop_columns(floats))
    for name in floats:
        wanted = [math.nan if v is None else v for v in at_once[name].to_pylist()]
        rows = [math.nan if v is None else v for v in found[name].to_pylist()]
        assert rows == pytest.approx(wanted, rel=1e-12, abs=1e-13, nan_ok=True)
