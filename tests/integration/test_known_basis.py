"""Reads limited to what this lake saw itself (SEMANTICS 2)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ingot.errors import QueryError
from tests.support.small_market import Desk, closes
from tests.support.world import DAYS

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.app.lake import Lake

MONDAY, TUESDAY, WEDNESDAY = (date(2025, 6, day) for day in (2, 3, 4))
PUBLISHED = datetime(2025, 6, 5, 15, tzinfo=UTC)
"""When the rule says that Wednesday's file is out: 11:00 New York of the next day."""
SOON = datetime(2025, 6, 5, 16, tzinfo=UTC)
LATER = datetime(2025, 6, 20, 16, tzinfo=UTC)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Load Wednesday within the hour, and Monday and Tuesday long after they were out."""
    desk = Desk(tmp_path_factory.mktemp("known"))
    days = desk.publish(closes({d: {"A": "10", "B": "20"} for d in (MONDAY, TUESDAY, WEDNESDAY)}))
    assert desk.load_bars(SOON, days).exit_code == 0
    assert desk.build(SOON, MONDAY, date(2025, 6, 5)).exit_code == 0
    return desk


def dates(lake: Lake, known_basis: str | None, known_at: datetime | None = None) -> set[date]:
    answer = lake.bars("A", "B", start=MONDAY, known_basis=known_basis, known_at=known_at)
    found: list[Any] = answer.to_arrow()["trade_date"].to_pylist()
    return set(found)


@pytest.mark.parametrize(
    ("known_basis", "expected"),
    [
        (None, {MONDAY, TUESDAY, WEDNESDAY}),
        ("observed", {TUESDAY, WEDNESDAY}),
        ("assumed", {MONDAY}),
        ("observed, assumed", {MONDAY, TUESDAY, WEDNESDAY}),
        ("stated", set()),
    ],
)
def test_only_dates_that_landed_with_such_a_known_time_are_read(
    desk: Desk, known_basis: str | None, expected: set[date]
) -> None:
    """Tuesday was out on 4 June at 15:00, 25 hours before it was seen: within the 36."""
    with desk.lake(LATER) as lake:
        assert dates(lake, known_basis) == expected


@pytest.mark.parametrize("table", ["silver.day_bars", "silver.day_bars_history", "bronze.day_bars"])
def test_sql_reads_the_same_dates_from_every_layer(desk: Desk, table: str) -> None:
    day = "file_date" if table.startswith("bronze") else "trade_date"
    text = f"select distinct {day} as day from {table} order by 1"
    with desk.lake(LATER) as lake:
        found = lake.sql(text, known_basis="observed").to_arrow()["day"].to_pylist()
    assert found == [TUESDAY, WEDNESDAY]


def test_a_word_that_is_no_basis_is_refused(desk: Desk) -> None:
    with desk.lake(LATER) as lake, pytest.raises(QueryError, match="name one or more of observed"):
        lake.bars("A", start=MONDAY, known_basis="seen")


def test_a_limited_export_is_written_again_after_a_later_version(
    desk: Desk, tmp_path: Path
) -> None:
    with desk.lake(LATER) as lake:
        lake.export(tmp_path / "a", "A", start=MONDAY, known_basis="observed", format="csv")
        text = "select count(*) as n from bronze.day_bars"
        lake.export(tmp_path / "c", query=text, known_basis="observed", format="csv")
    desk.publish(closes({MONDAY: {"A": "11", "B": "20"}}))
    corrected = datetime(2025, 6, 21, 16, tzinfo=UTC)
    assert desk.load_bars(corrected, [MONDAY], DAYS).exit_code == 0
    assert desk.build(corrected, MONDAY, date(2025, 6, 5)).exit_code == 0
    with desk.lake(corrected) as lake:
        assert dates(lake, "observed") == {MONDAY, TUESDAY, WEDNESDAY}
        assert dates(lake, "observed", LATER) == {TUESDAY, WEDNESDAY}
        for name in ("a", "c"):
            assert lake.replay(tmp_path / name, tmp_path / f"{name}2").kept == "bytes"
    assert len((tmp_path / "a2" / "data.csv").read_text().splitlines()) == 3
    assert (tmp_path / "c2" / "data.csv").read_text().split() == ["n", "4"]
