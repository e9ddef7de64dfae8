"""Renames of LEAN's map files, from the files to what a lake resolves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.recorded_bars import rows_in
from tests.support.small_market import Desk, day_bar
from tests.support.world import at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.app.lake import Lake

pytestmark = pytest.mark.recorded
LAST_OF_WMI = date(2009, 8, 4)
DAYS = [LAST_OF_WMI, LAST_OF_WMI + timedelta(days=1)]


@pytest.fixture(scope="module")
def lake(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Load the map files, and two days of bars around WMI -> WM."""
    desk = Desk(tmp_path_factory.mktemp("maps"))
    folder = recorded / "corporate-actions" / "lean"
    assert desk.load(at(1), "instruments", "lean", folder).exit_code == 0
    desk.publish([day_bar("WMI", DAYS[0], "29.05"), day_bar("WM", DAYS[1], "28.66")])
    assert desk.load_bars(at(1), DAYS).exit_code == 0
    assert desk.build(at(1), DAYS[0], DAYS[1] + timedelta(days=1)).exit_code == 0
    with desk.lake(at(2)) as lake:
        yield lake


@pytest.mark.parametrize(
    ("symbol", "day", "symbols"),
    [
        ("BAC", "2014-06-09", ["NB", "BAC"]),
        ("NB", "1998-06-01", ["NB", "BAC"]),
        ("WM", "2014-06-09", ["UW", "WMI", "WM"]),
        ("UW", "1998-03-02", ["UW", "WMI", "WM"]),
        ("WMI", "2005-03-01", ["UW", "WMI", "WM"]),
        ("WM", "2005-03-01", []),
    ],
)
def test_a_symbol_resolves_to_all_names_of_its_company(
    lake: Lake, symbol: str, day: str, symbols: list[str]
) -> None:
    """By the map files; in 2005 WM was a bank that they do not have."""
    assert [s for (s,) in rows_in(lake.resolve(symbol, day), "symbol")] == symbols


@pytest.mark.parametrize("symbol", ["WM", "WMI"])
def test_bars_go_on_over_the_rename(lake: Lake, symbol: str) -> None:
    on = DAYS[symbol == "WM"]
    answer = lake.bars(symbol, start=DAYS[0], end=date(2009, 8, 6), symbol_date=on)
    found = rows_in(answer, "symbol", "source_symbol", "trade_date")
    assert found == [(symbol, "WMI", DAYS[0]), (symbol, "WM", DAYS[1])]


def test_before_a_rename_nobody_knows_the_new_name(lake: Lake) -> None:
    eve = datetime(2009, 8, 4, 20, tzinfo=UTC)
    assert [s for (s,) in rows_in(lake.resolve("WMI", DAYS[0], known_at=eve), "symbol")] == [
        "UW",
        "WMI",
    ]


def test_performance_goes_on_over_the_rename(lake: Lake) -> None:
    """The closes are those of the fixture, 29.05 and 28.66; without the map files WM is new."""
    text = "select return_1d, history_from from gold.performance where symbol = 'WM'"
    ((r, first),) = lake.sql(text).to_polars().rows()
    assert (r, first) == (pytest.approx(28.66 / 29.05 - 1, rel=1e-12), LAST_OF_WMI)
