"""Sessions asked of a lake agree with the published calendar."""

from __future__ import annotations

import csv
import gzip
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingot.app.refine.ensure_sessions import ensure_sessions
from tests.support.recorded_bars import EPOCH, rows_in
from tests.support.world import World, at

if TYPE_CHECKING:
    from pathlib import Path

FIRST, LAST = date(2003, 1, 2), date(2020, 12, 31)
"""From the first date that a lake knows to the last year that both recordings hold whole."""
ONE_DAY = timedelta(days=1)
pytestmark = pytest.mark.recorded


def test_regular_sessions_and_closures_of_a_lake_agree_with_the_published_ones(
    recorded: Path, tmp_path: Path
) -> None:
    world = World(tmp_path)
    parts = world.parts(at(1))
    ensure_sessions(parts)
    parts.close()
    with world.lake(at(1)) as lake:
        answer = lake.sessions(start=FIRST, end=LAST + ONE_DAY)
    rows = rows_in(answer, "calendar", "trade_date", "session", "start_ns", "end_ns")
    regular = {row[1]: (_utc(row[3]), _utc(row[4])) for row in rows if row[2] == "regular"}

    assert {row[0] for row in rows} == {"XNYS"}
    assert regular == _published_hours(recorded)
    weekdays = {d for d in _days(FIRST, LAST) if d.isoweekday() <= 5}
    assert weekdays - set(regular) == _published_closures(recorded)


def _days(first: date, last: date) -> list[date]:
    return [first + n * ONE_DAY for n in range((last - first).days + 1)]


def _utc(ns: int) -> datetime:
    return EPOCH + timedelta(microseconds=ns // 1000)


def _published_hours(recorded: Path) -> dict[date, tuple[datetime, datetime]]:
    path = recorded / "golden" / "exchange-calendars" / "xnys.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        rows = [(date.fromisoformat(row[""][:10]), row) for row in csv.DictReader(file)]
    return {
        day: (datetime.fromisoformat(row["open"]), datetime.fromisoformat(row["close"]))
        for day, row in rows
        if FIRST <= day <= LAST
    }


def _published_closures(recorded: Path) -> set[date]:
    folder = recorded / "golden" / "nyse-holidays"
    text = (folder / "nyse_all_full_day_holidays_since_1928.csv").read_text()
    days = {datetime.strptime(f"{word} +0000", "%m/%d/%Y %z").date() for word in text.split()}
    return {day for day in days if FIRST <= day <= LAST}
