"""Identity with actions, lists, spans, layouts, SQL and exports, against a model in this file.

The model is a table of companies: each has bars under the symbols that it had, and its own actions.
What the lake is given besides is what a vendor states, wrong dates of renames included.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest

from ingot.cli.main import run
from ingot.errors import QueryError
from ingot.query.requests.request import Adjustment
from tests.support.recorded_bars import Bar, rows_in
from tests.support.small_market import Desk, day_bar
from tests.support.world import MINUTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ingot.app.lake import Lake
    from ingot.query.result.answer import Answer

ONE_DAY = timedelta(days=1)
NOW = datetime(2024, 7, 1, 16, tzinfo=UTC)
DAYS = [date(2024, 6, n) for n in (11, 12, 13, 14, 17, 18)]
FRIDAY, MONDAY = DAYS[3], DAYS[4]
END = DAYS[-1] + ONE_DAY
OPEN = date(9999, 12, 31)
OPTION = "O:PLN240621C00050000"


@dataclass(frozen=True)
class Company:
    """Its symbols with the first date of each, what one share cost, and its actions."""

    symbols: tuple[tuple[str, date], ...]
    price: dict[date, int]
    """The close from each date on."""
    end: date = OPEN
    actions: tuple[tuple[date, Fraction, Decimal], ...] = ()
    """Ex-date, new shares for one old, cash per new share: those that can be applied."""

    def holds(self, day: date) -> str | None:
        """Return its symbol on a date."""
        held = [s for s, since in self.symbols if since <= day < self.end]
        return held[-1] if held else None

    def close(self, day: date) -> Fraction:
        """Return the close of a date."""
        return Fraction([p for since, p in self.price.items() if since <= day][-1])

    def factor(self, day: date, basis: str, last: date) -> Fraction:
        """Return what a price of a date is multiplied by."""
        found = Fraction(1)
        for ex_date, ratio, cash in self.actions if basis != "raw" else ():
            if day < ex_date and (basis != "scaled_raw" or ex_date <= last):
                found /= ratio
                if basis != "split":
                    before = self.close(max(d for d in DAYS if d < ex_date))
                    found *= 1 - Fraction(cash) * ratio / before
        return found


NONE, ONE = Decimal(0), Fraction(1)
OLD = date(2012, 1, 3)
COMPANIES = {
    # A gives AAX up; B takes it on the same session, splits 1:4 and pays that very day.
    "A": Company(
        (("AAX", OLD), ("AAXN", MONDAY)),
        {OLD: 50, MONDAY: 51},
        actions=((DAYS[1], ONE, Decimal("0.25")), (DAYS[5], ONE, Decimal("0.5"))),
    ),
    "B": Company(
        (("BBB", OLD), ("AAX", MONDAY)),
        {OLD: 200, MONDAY: 49},
        actions=((MONDAY, Fraction(4), Decimal(1)),),
    ),
    # The vendor dates this rename two sessions late, and a dividend between by the old symbol.
    "R": Company(
        (("REN", OLD), ("REW", DAYS[2])),
        {OLD: 80, DAYS[1]: 40},
        actions=((DAYS[1], Fraction(2), NONE), (DAYS[3], ONE, Decimal("0.4"))),
    ),
    "D": Company((("DEL", OLD),), {OLD: 60}, DAYS[2]),
    "U1": Company(
        (("USE", OLD),), {OLD: 90, DAYS[1]: 30}, DAYS[2], ((DAYS[1], Fraction(3), NONE),)
    ),
    "U2": Company(
        (("USE", MONDAY),), {OLD: 500, DAYS[5]: 100}, actions=((DAYS[5], Fraction(5), NONE),)
    ),
    "P": Company((("PLN", OLD),), {OLD: 10}),
    # A handover on whose session a split is dated that neither company's closes show.
    "C": Company((("CCX", OLD), ("CCXN", MONDAY)), {OLD: 20}),
    "E": Company((("EEE", OLD), ("CCX", MONDAY)), {OLD: 30}),
    # Google's issue of class C: the split of class A is named by the symbol that it gave up that
    # day. The vendor dates both renames a session late.
    "G": Company(
        (("GOX", OLD), ("GOXL", MONDAY)),
        {OLD: 1135, MONDAY: 571},
        actions=((MONDAY, Fraction(2), NONE),),
    ),
    "GC": Company((("GOXV", OLD), ("GOX", MONDAY)), {OLD: 567, MONDAY: 570}),
}
LITERAL = {
    "ZZZ": Company(
        (("ZZZ", OLD),), {OLD: 8, DAYS[2]: 16}, actions=((DAYS[2], Fraction(1, 2), NONE),)
    ),
    OPTION: Company(((OPTION, OLD),), {OLD: 1}),
}
EVERY = COMPANIES | LITERAL
INSTRUMENTS = (
    "A,AAX,2012-01-03,2024-06-16,First,XNAS,CS,\nA,AAXN,2024-06-16,,First,XNAS,CS,\n"
    "B,BBB,2012-01-03,2024-06-17,Second,XNAS,CS,\nB,AAX,2024-06-17,,Second,XNAS,CS,\n"
    "R,REN,2012-01-03,2024-06-15,Renamed,XNAS,CS,\nR,REW,2024-06-15,,Renamed,XNAS,CS,\n"
    "D,DEL,2012-01-03,2024-06-13,Gone,XNAS,CS,\n"
    "U1,USE,2012-01-03,2024-06-13,Once,XNAS,CS,\nU2,USE,2024-06-17,,Again,XNAS,CS,\n"
    "P,PLN,2012-01-03,,Plain,XNAS,CS,\n"
    "C,CCX,2012-01-03,2024-06-17,Third,XNAS,CS,\nC,CCXN,2024-06-17,,Third,XNAS,CS,\n"
    "E,EEE,2012-01-03,2024-06-17,Fourth,XNAS,CS,\nE,CCX,2024-06-17,,Fourth,XNAS,CS,\n"
    "G,GOX,2012-01-03,2024-06-18,Class A,XNAS,CS,\nG,GOXL,2024-06-18,,Class A,XNAS,CS,\n"
    "GC,GOXV,2012-01-03,2024-06-18,Class C,XNAS,CS,\nGC,GOX,2024-06-18,,Class C,XNAS,CS,\n"
)
ACTIONS = (
    "AAX,2024-06-12,cash_dividend,,,0.25,,\nAAXN,2024-06-18,cash_dividend,,,0.5,,\n"
    "AAX,2024-06-17,split,1,4,,,\nAAX,2024-06-17,cash_dividend,,,1,,\n"
    "REN,2024-06-12,split,1,2,,,\nREN,2024-06-14,cash_dividend,,,0.4,,\n"
    "DEL,2024-06-12,cash_dividend,,,60,,\n"
    "USE,2024-06-12,split,1,3,,,\nUSE,2024-06-18,split,1,5,,,\n"
    "CCX,2024-06-17,split,1,2,,,\nGOX,2024-06-17,split,1,2,,,\n"
    "ZZZ,2024-06-13,split,2,1,,,\n"
)
UNDECIDED = "split 2.000000:1.000000 of CCX on 2024-06-17 (csv)"
TOO_MUCH = "cash_dividend 60 USD of DEL on 2024-06-12 (csv)"
Row = tuple[str, date, float]


def owner(symbol: str, day: date) -> Company | None:
    """Return who holds a symbol on a date."""
    return next((c for c in EVERY.values() if c.holds(day) == symbol), None)


def model(
    names: Sequence[str], basis: str, days: Sequence[date] = DAYS, *, follow: bool = True
) -> list[Row]:
    """Return asked symbol, trade date and close of an answer."""
    found: list[Row] = []
    for asked in names:
        holder = owner(asked, days[-1]) if follow else None
        for day in days:
            own = holder or owner(asked, day)
            if own and own.holds(day):
                close = own.close(day) * own.factor(day, basis, days[-1])
                found.append((asked, day, float(close)))
    return sorted(found)


def rows(answer: Answer) -> list[Row]:
    return [(s, d, float(c)) for s, d, c in rows_in(answer, "symbol", "trade_date", "close")]


def same(found: Sequence[Row], expected: Sequence[Row]) -> None:
    assert [r[:2] for r in found] == [r[:2] for r in expected]
    assert [r[2] for r in found] == pytest.approx([r[2] for r in expected], rel=1e-13)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Load the companies' day bars, and what a vendor states of their names and actions."""
    desk = Desk(tmp_path_factory.mktemp("pairs"))
    desk.publish(day_bars())
    assert desk.load_bars(NOW, DAYS).exit_code == 0
    assert desk.actions(NOW, ACTIONS).exit_code == 0
    assert desk.instruments(NOW, INSTRUMENTS).exit_code == 0
    assert desk.build(NOW, DAYS[0], END).exit_code == 0
    return desk


@pytest.fixture(scope="module")
def minutes(desk: Desk) -> Desk:
    """Load four minutes of each day as well."""
    desk.publish(minute_bars(), MINUTES)
    assert desk.load_bars(NOW, DAYS, MINUTES).exit_code == 0
    assert desk.build(NOW, DAYS[0], END).exit_code == 0
    return desk


def day_bars() -> list[Bar]:
    return [
        day_bar(symbol, day, Decimal(int(c.close(day))))
        for c in EVERY.values()
        for day in DAYS
        if (symbol := c.holds(day))
    ]


def minute_bars() -> Iterator[Bar]:
    for bar in day_bars():
        for hours, extra in [(17, 0), (8, 0), (10, 0), (10, 1)]:
            start = bar.start + timedelta(hours=hours, minutes=extra)
            yield replace(bar, start=start, volume=Decimal(250))


@pytest.fixture(scope="module")
def lake(desk: Desk) -> Iterator[Lake]:
    with desk.lake(NOW) as lake:
        yield lake


LISTS: dict[str, tuple[str, ...]] = {
    "plain and delisted": ("PLN", "DEL"),
    "plain and renamed": ("PLN", "REW"),
    "plain and reused": ("PLN", "USE"),
    "delisted alone": ("DEL",),
    "both of a handover": ("AAX", "AAXN", "BBB"),
    "both of an issue": ("GOX", "GOXL", "GOXV"),
    "everything": tuple(sorted({s for c in EVERY.values() for s, _ in c.symbols} - {OPTION})),
}
SPANS: dict[str, dict[str, Any]] = {
    "no span": {},
    "a span": {"start": DAYS[0], "end": END},
    "a first week": {"start": DAYS[1], "end": FRIDAY + ONE_DAY},
}


def days_of(span: dict[str, Any]) -> list[date]:
    return [d for d in DAYS if span.get("start", OLD) <= d < span.get("end", OPEN)]


def long(*values: Any) -> list[Any]:
    """Return parameters that run with the services alone."""
    return [pytest.param(value, marks=pytest.mark.services) for value in values]


@pytest.mark.parametrize("basis", ["raw", "total_return", *long("split", "scaled_raw")])
@pytest.mark.parametrize("span", SPANS)
def test_a_list_has_the_rows_that_each_of_its_symbols_has(
    lake: Lake, basis: Any, span: str
) -> None:
    for names in LISTS.values():
        answer = lake.bars(*names, basis=basis, **SPANS[span])
        same(rows(answer), model(names, basis, days_of(SPANS[span])))


def test_an_option_beside_a_delisted_symbol_keeps_both(lake: Lake) -> None:
    same(rows(lake.bars("DEL", OPTION)), model(("DEL", OPTION), "raw"))


def test_a_universe_is_read_back_whole(lake: Lake) -> None:
    for day in (FRIDAY, MONDAY):
        names = lake.universe(day).to_polars()["symbol"].to_list()
        answer = lake.bars(*names, start=day, end=day + ONE_DAY)
        same(rows(answer), model(names, "raw", [day]))
        assert len(answer) == len(names) > 8


@pytest.mark.parametrize("basis", ["total_return", *long("raw", "split")])
def test_literal_bars_are_on_the_scale_of_who_held_the_symbol_then(lake: Lake, basis: Any) -> None:
    for names in LISTS.values():
        answer = lake.bars(*names, basis=basis, follow=False)
        same(rows(answer), model(names, basis, follow=False))


@pytest.mark.parametrize("basis", ["total_return", *long("split")])
def test_sql_on_a_basis_gives_every_bar_the_factor_of_its_company(lake: Lake, basis: Any) -> None:
    same_in_sql(lake, "silver.day_bars", basis)


@pytest.mark.services
@pytest.mark.parametrize("basis", ["split", "total_return"])
@pytest.mark.usefixtures("minutes")
def test_sql_over_minutes_on_a_basis_has_the_same_factors(lake: Lake, basis: Any) -> None:
    same_in_sql(lake, "gold.daily_bars", basis)


def same_in_sql(lake: Lake, table: str, basis: Any) -> None:
    every = sorted({s for c in EVERY.values() for s, _ in c.symbols})
    text = f"select symbol, trade_date, close from {table} order by symbol, trade_date"
    answer = lake.sql(text, basis=basis)
    same(rows(answer), model(every, basis, follow=False))
    too_much = {TOO_MUCH} if basis == "total_return" else set()
    assert set(answer.unapplied_actions) == {UNDECIDED} | too_much


def test_the_split_of_one_company_is_not_applied_to_the_one_that_had_its_symbol(
    lake: Lake,
) -> None:
    """A's 50 of Friday stays 50; B's 200 becomes 50, though both actions are named AAX."""
    first, second = lake.bars("AAXN", basis="split"), lake.bars("AAX", basis="split")
    assert dict(r[1:] for r in rows(first))[FRIDAY] == 50.0
    assert dict(r[1:] for r in rows(second))[FRIDAY] == 50.0
    assert first.unapplied_actions == second.unapplied_actions == ()
    paid = dict(r[1:] for r in rows(lake.bars("AAXN", basis="total_return")))
    assert paid[FRIDAY] == pytest.approx(50 * (1 - 0.5 / 51), rel=1e-15)


@pytest.mark.parametrize("symbol", ["CCX", "CCXN"])
def test_an_action_that_may_be_either_companys_is_unapplied_for_both_and_named(
    lake: Lake, symbol: str
) -> None:
    answer = lake.bars(symbol, basis="split")
    assert answer.unapplied_actions == (UNDECIDED,)
    same(rows(answer), model((symbol,), "raw"))
    with pytest.raises(QueryError, match="1 action cannot be applied on basis split"):
        lake.bars(symbol, basis=Adjustment("split", strict=True))


def test_a_dividend_of_the_close_before_is_unapplied_and_named(lake: Lake) -> None:
    for formula in ("standard", "wiki"):
        answer = lake.bars("DEL", basis=Adjustment("total_return", formula))
        assert answer.unapplied_actions == (TOO_MUCH,)


def test_a_symbol_that_is_read_literally_says_whose_bars_are_read(lake: Lake) -> None:
    assert lake.bars("DEL").notices == (
        "no instrument holds DEL on 2024-07-01: all its bars are read, whoever held it",
        "DEL was held by Gone (D) from 2012-01-03 to before 2024-06-13",
    )


LAYOUTS: list[dict[str, Any]] = [
    {"interval": "1m"},
    {"interval": "1m", "session": "regular"},
    {"interval": "5m"},
    {"interval": "15m", "fill": "previous"},
    {"interval": "1h", "session": "regular"},
    {"interval": "1d"},
    {"interval": "1d", "session": "regular"},
    {"interval": "1d", "session": "pre"},
]


@pytest.mark.services
@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda w: "-".join(map(str, w.values())))
@pytest.mark.parametrize("names", [("PLN",), ("AAX", "DEL", "REW")], ids=len)
def test_a_wide_answer_is_the_long_one_in_the_order_of_time(
    lake: Lake, layout: dict[str, Any], names: tuple[str, ...]
) -> None:
    how = layout | {"basis": "split"} if "DEL" in names else layout
    bars = lake.bars(*names, **how).to_polars()
    wide = lake.bars(*names, layout="wide", **how).to_pandas()
    assert wide.index.name == ("trade_date" if layout["interval"] == "1d" else "bar_start")
    assert wide.index.is_monotonic_increasing
    assert wide.index.is_unique
    assert list(wide.columns) == list(names)
    for name in names:
        expected = bars.filter(symbol=name)
        assert wide[name].dropna().to_list() == expected["close"].to_list()
        model_rows = [c for _, _, c in model((name,), "split" if "basis" in how else "raw")]
        distinct = [c for c, _ in groupby(expected["close"].to_list())]
        assert distinct == pytest.approx([c for c, _ in groupby(model_rows)], rel=1e-13)


@pytest.mark.parametrize("layout", ["long", *long("wide")])
def test_an_export_of_a_list_with_a_delisted_symbol_is_replayed_with_its_rows(
    lake: Lake, tmp_path: Path, layout: Any
) -> None:
    names = ("PLN", "DEL", "AAX", "CCX")
    done = lake.export(tmp_path / "made", *names, basis="total_return", layout=layout, format="csv")
    again = lake.replay(tmp_path / "made", tmp_path / "again")
    assert done.manifest.rows == (len(model(names, "raw")) if layout == "long" else len(DAYS))
    assert again.kept == "bytes"
    assert any("2 actions not applied" in n for n in done.notices)


def test_bars_without_a_row_are_exported_only_on_demand(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"has no rows, so it was not exported: no bars of NIL in"):
        lake.export(tmp_path / "made", "NIL", start=DAYS[0], end=END)
    assert not (tmp_path / "made").exists()
    made = lake.export(
        tmp_path / "made", "NIL", start=DAYS[0], end=END, basis="split", allow_unsettled=True
    )
    assert made.manifest.rows == 0
    assert lake.replay(tmp_path / "made", tmp_path / "again").kept == "bytes"
    nothing = "select symbol from silver.day_bars where symbol = 'NIL'"
    assert lake.export(tmp_path / "sql", query=nothing).manifest.rows == 0


def test_bars_of_a_list_on_the_command_line(
    desk: Desk, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    words = ("bars", "PLN", "DEL", "--from", "2024-06-10", "--to", "2024-06-18", "--format", "csv")
    assert run(["--lake", str(desk.world.root), *words]) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert len(lines) == 1 + len(model(("PLN", "DEL"), "raw"))
