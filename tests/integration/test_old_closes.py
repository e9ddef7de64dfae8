"""A dividend is measured by the last close before its ex-date, however old, which is then named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingot.query.requests.request import Adjustment
from tests.support.recorded_bars import rows_in
from tests.support.small_market import Desk, closes, weekdays

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.app.lake import Lake

NOW = datetime(2024, 7, 1, 16, tzinfo=UTC)
DAYS = weekdays(date(2024, 6, 3), 10)
EX_DATE = DAYS[8]
NOTICE = (
    "cash_dividend 2 USD of OLD on 2024-06-13 (csv) is measured by the close of 2024-06-05, "
    "the last one before its ex-date"
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """OLD last trades 6 sessions before its ex-date, NEAR 5 sessions; both pay 2 on 40."""
    folder: Path = tmp_path_factory.mktemp("old")
    desk = Desk(folder)
    bars = {day: {"ANY": "10"} for day in DAYS}
    for name, last in (("OLD", DAYS[2]), ("NEAR", DAYS[3])):
        for day in (last, EX_DATE):
            bars[day] = {**bars[day], name: "40"}
    desk.publish(closes(bars))
    assert desk.load_bars(NOW, DAYS).exit_code == 0
    lines = "".join(f"{name},{EX_DATE},cash_dividend,,,2,,\n" for name in ("OLD", "NEAR"))
    assert desk.actions(NOW, lines).exit_code == 0
    assert desk.build(NOW, DAYS[0], DAYS[-1] + timedelta(days=1)).exit_code == 0
    return desk.lake(NOW)


def test_a_close_of_more_than_five_sessions_before_is_used_and_named(lake: Lake) -> None:
    answer = lake.bars("OLD", basis="total_return")
    assert [float(close) for (close,) in rows_in(answer, "close")] == [38.0, 40.0]
    assert NOTICE in answer.notices
    assert NOTICE in lake.bars(basis="total_return").notices


def test_a_close_of_five_sessions_before_is_used_without_a_word(lake: Lake) -> None:
    answer = lake.bars("NEAR", basis="total_return")
    assert [float(close) for (close,) in rows_in(answer, "close")] == [38.0, 40.0]
    assert not [n for n in answer.notices if "measured" in n]


def test_only_what_measures_by_the_close_before_names_it(lake: Lake) -> None:
    for answer in (
        lake.bars("OLD", basis="split"),
        lake.bars("OLD", basis=Adjustment("total_return", formula="wiki")),
    ):
        assert not [n for n in answer.notices if "measured" in n]
