"""Adjusted prices that others published, out of their raw prices and actions.

WIKI: adjusted close, formula c / (c + d). Massive: text values and formula of its historical
adjustment factor. LEAN: minutes of AAPL around its 7:1 split.
"""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.errors import QueryError
from ingot.query.requests.adjustment import SPLIT, Action, Closes, adjust
from ingot.query.requests.request import Adjustment
from ingot.query.requests.symbology import Segment
from tests.support.factors import factor_on
from tests.support.recorded_bars import Bar, publish_bars, read_lean, rows_in
from tests.support.small_market import Desk, midnight
from tests.support.world import MINUTES, at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.app.lake import Lake

ONE_DAY = timedelta(days=1)
WIKI = "corporate-actions/wiki/wiki_prices_AAPL_ZEN_2014.csv"
SPLIT_DAY = date(2014, 6, 9)
_VALUES = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="module")
def table(recorded: Path) -> list[dict[str, str]]:
    """Return WIKI's rows of AAPL and ZEN, 2014."""
    with (recorded / WIKI).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def wiki(table: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Load the year's raw prices and its actions."""
    desk = Desk(tmp_path_factory.mktemp("wiki"))
    days = desk.publish(_bar(row) for row in _told(table))
    assert desk.load_bars(at(1), days).exit_code == 4, "the sessions left out are not there"
    assert desk.actions(at(1), "".join(_actions(row) for row in table)).exit_code == 0
    assert desk.build(at(1), days[0], days[-1] + ONE_DAY).exit_code == 0
    with desk.lake(at(2)) as lake:
        yield lake


def _told(table: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the sessions around each action, every 25th and the last: days cost seconds."""
    days = sorted({row["date"] for row in table})
    acting = {days.index(row["date"]) for row in table if _actions(row)}
    kept = {n + i for n in acting for i in (-1, 0, 1)} | set(range(0, len(days), 25))
    wanted = {days[n] for n in kept} | {days[-1]}
    return [row for row in table if row["date"] in wanted]


def _bar(row: dict[str, str]) -> Bar:
    start = midnight(date.fromisoformat(row["date"]))
    first, high, low, last, volume = (Decimal(row[n]) for n in _VALUES)
    return Bar(row["ticker"], start, first, high, low, last, volume)


def _actions(row: dict[str, str]) -> str:
    found = ""
    if Decimal(row["split_ratio"]) != 1:
        found += f"{row['ticker']},{row['date']},split,1,{Decimal(row['split_ratio']):f},,,\n"
    if Decimal(row["ex-dividend"]):
        found += f"{row['ticker']},{row['date']},cash_dividend,,,{row['ex-dividend']},,\n"
    return found


@pytest.mark.recorded
@pytest.mark.parametrize("symbol", ["AAPL", "ZEN"])
def test_wiki_adjusted_closes_are_reproduced(
    wiki: Lake, table: list[dict[str, str]], symbol: str
) -> None:
    """Its own last row is adjusted for what came after 2014, so ratios to it are compared."""
    answer = wiki.bars(symbol, basis=Adjustment("total_return", "wiki", strict=True))
    mine = [close for (close,) in rows_in(answer, "close")]
    published = [float(row["adj_close"]) for row in _told(table) if row["ticker"] == symbol]
    assert len(published) > 10
    ratios = [(m / mine[-1]) / (p / published[-1]) for m, p in zip(mine, published, strict=True)]
    assert max(abs(ratio - 1) for ratio in ratios) < 1e-12


@pytest.mark.recorded
def test_wiki_adjusted_volumes_are_those_of_the_split_alone(
    wiki: Lake, table: list[dict[str, str]]
) -> None:
    """AAPL had no later split in WIKI's table, so its adjusted volumes are comparable as such."""
    mine = [v for (v,) in rows_in(wiki.bars("AAPL", basis="split"), "volume")]
    assert mine == [float(row["adj_volume"]) for row in _told(table) if row["ticker"] == "AAPL"]


@pytest.mark.recorded
def test_the_standard_formula_is_the_one_of_crsp(wiki: Lake, table: list[dict[str, str]]) -> None:
    """A second formula: 1 - d / C_prev in exact fractions, on the prices as they are printed."""
    rows = [row for row in _told(table) if row["ticker"] == "AAPL"]
    expected, factor = [Fraction(rows[-1]["close"])], Fraction(1)
    for before, row in reversed(list(pairwise(rows))):
        ratio = Fraction(row["split_ratio"])
        cash = Fraction(row["ex-dividend"])
        factor *= (1 - cash * ratio / Fraction(before["close"])) / ratio
        expected.append(Fraction(before["close"]) * factor)
    mine = [c for (c,) in rows_in(wiki.bars("AAPL", basis="total_return"), "close")]
    pairs = list(zip(mine, reversed(expected), strict=True))
    assert max(abs(m / float(e) - 1) for m, e in pairs) < 1e-14
    published = [float(row["adj_close"]) for row in rows]
    apart = [
        abs(m / mine[-1] / (p / published[-1]) - 1) for m, p in zip(mine, published, strict=True)
    ]
    assert 1e-5 < max(apart) < 1.6e-4, "the two formulas differ, by a little"


def _factor(splits: list[tuple[date, int, int]], day: date) -> Fraction:
    """Return our price factor of a date, from splits of (ex-date, from, to)."""
    actions = [Action("massive", "X", d, SPLIT, Decimal(a), Decimal(b)) for d, a, b in splits]
    nothing = Closes(lambda *_: None, lambda *_: None)
    segments = (Segment("X", "X", date.min, date.max),)
    made = adjust(segments, actions, basis=SPLIT, formula="standard", closes=nothing)
    found = factor_on(made.factors, day)
    assert found is not None
    return Fraction(found.up) / Fraction(found.down)


APPLE = [
    (date(1987, 6, 16), 1, 2),
    (date(2000, 6, 21), 1, 2),
    (date(2005, 2, 28), 1, 2),
    (date(2014, 6, 9), 1, 7),
    (date(2020, 8, 31), 1, 4),
]


@pytest.mark.parametrize(
    ("day", "factor"),
    [
        (date(1987, 6, 15), Fraction(1, 224)),
        (date(1987, 6, 16), Fraction(1, 112)),
        (date(2014, 6, 8), Fraction(1, 28)),
        (date(2014, 6, 9), Fraction(1, 4)),
        (date(2020, 8, 31), Fraction(1)),
    ],
)
def test_factors_of_apple_are_those_in_massives_text(day: date, factor: Fraction) -> None:
    """Massive: the first split after the date has the factor; AAPL before 1987-06-16: 1/224."""
    assert _factor(APPLE, day) == factor


RATIOS = st.tuples(st.integers(1, 50), st.integers(1, 50))


@given(st.lists(RATIOS, min_size=1, max_size=6))
def test_the_factor_of_the_first_later_split_is_massives_product(
    ratios: list[tuple[int, int]],
) -> None:
    """HAF_k = 1 / (r_k r_(k+1) ... r_n), r = to / from, of the first split after the date."""
    days = [date(2001, 1, 1) + 100 * n * ONE_DAY for n in range(len(ratios))]
    splits = [(day, old, new) for day, (old, new) in zip(days, ratios, strict=True)]
    product = Fraction(1)
    for day, old, new in reversed(splits):
        product /= Fraction(new, old)
        assert _factor(splits, day - ONE_DAY) == product
    assert _factor(splits, days[-1]) == 1


JUNE = [date(2014, 6, day) for day in (5, 6, 9)]


@pytest.fixture(scope="module")
def lean(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Load AAPL's minutes around its split, whose time is known as the company told it."""
    desk = Desk(tmp_path_factory.mktemp("lean"))
    folder = recorded / "equity-minute" / "lean"
    bars = [bar for day in JUNE for bar in read_lean(folder, "AAPL", day)]
    publish_bars(desk.world.tree, MINUTES, bars)
    assert desk.load_bars(at(1), JUNE, MINUTES).exit_code == 0
    # Announced with the quarter's results on 2014-04-23 at 16:30 New York.
    line = "AAPL,2014-06-09,split,1,7,,,2014-04-23T16:30:00-04:00\n"
    assert desk.actions(at(1), line).exit_code == 0
    assert desk.build(at(1), JUNE[0], JUNE[-1] + ONE_DAY).exit_code == 0
    with desk.lake(at(2)) as lake:
        yield lake


def _of_day(lake: Lake, day: date, **how: str) -> list[tuple[float, float]]:
    answer = lake.bars("AAPL", start=day, end=day + ONE_DAY, interval="1m", **how)  # type: ignore[arg-type]  # words only
    return [(float(c), float(v)) for c, v in rows_in(answer, "close", "volume")]


@pytest.mark.recorded
def test_minutes_before_the_split_are_on_a_seventh_and_those_of_its_day_as_traded(
    lean: Lake,
) -> None:
    for day in JUNE[:2]:
        raw, split = _of_day(lean, day), _of_day(lean, day, basis="split")
        assert split == [(c / 7, v * 7) for c, v in raw]
    assert _of_day(lean, SPLIT_DAY, basis="split") == _of_day(lean, SPLIT_DAY)


@pytest.mark.recorded
def test_minutes_go_on_over_the_split_without_a_jump(lean: Lake) -> None:
    """Raw the price falls to a seventh over the weekend; on a basis it moves by less than 1 %."""
    for basis, low, high in (
        ("raw", 6.9, 7.1),
        ("split", 0.99, 1.01),
        ("total_return", 0.99, 1.01),
    ):
        how = {"basis": basis, "session": "regular"}
        before, after = (_of_day(lean, day, **how) for day in JUNE[1:])
        assert low < before[-1][0] / after[0][0] < high, basis


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("moment", "scale"),
    [
        (datetime(2014, 6, 6, 16, tzinfo=UTC), 1),  # Friday noon: announced, the ex-date is to come
        (datetime(2014, 6, 6, 23, 59, tzinfo=UTC), 1),  # its last minute of trade
        (datetime(2014, 6, 7, 0, tzinfo=UTC), 7),  # after it the next trade date is the ex-date
        (datetime(2014, 6, 9, 8, tzinfo=UTC), 7),
    ],
)
def test_nobody_trades_on_the_new_scale_before_the_ex_date(
    lean: Lake, moment: datetime, scale: int
) -> None:
    found = _of_day(lean, JUNE[0], basis="split", known_at=moment.isoformat())
    assert found == [(c / scale, v * scale) for c, v in _of_day(lean, JUNE[0])]


@pytest.mark.recorded
def test_the_scale_of_a_range_that_ends_before_the_split_is_as_traded(lean: Lake) -> None:
    answer = lean.bars("AAPL", end=SPLIT_DAY, interval="1m", basis="scaled_raw")
    raw = lean.bars("AAPL", end=SPLIT_DAY, interval="1m")
    assert rows_in(answer, "close") == [(float(c),) for (c,) in rows_in(raw, "close")]


@pytest.mark.recorded
def test_an_option_of_the_split_stock_is_read_raw_only(lean: Lake) -> None:
    with pytest.raises(QueryError, match="options are read on basis raw only"):
        lean.bars("O:AAPL140621C00650000", basis="split")
