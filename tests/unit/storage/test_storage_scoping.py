from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.transforms import MonthTransform, YearTransform
from pyiceberg.types import DateType

from ingot.model.unit import Scope
from ingot.storage.iceberg.layout.bounds import (
    Bounds,
    Overlap,
    disjoint,
    overlap,
    partition_folder,
    partition_range,
    partition_value,
    scope_columns,
)
from ingot.tables.bronze import MINUTE_BARS as BRONZE
from ingot.tables.contract import month, year
from ingot.tables.gold import DAILY_BARS
from ingot.tables.ops import RUNS
from ingot.tables.silver import MINUTE_BARS, SESSIONS

JUNE, JULY = date(2025, 6, 1), date(2025, 7, 1)


def whole(first: date, last: date, landing: int | None = None) -> Bounds:
    return Bounds(
        first,
        last,
        ("massive", "massive"),
        ("stocks", "stocks"),
        None if landing is None else (landing, landing),
    )


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2025, 6, 1), date(2025, 6, 30), Overlap.ALL),
        (date(2025, 5, 31), date(2025, 6, 1), Overlap.SOME),
        (date(2025, 6, 30), date(2025, 7, 1), Overlap.SOME),
        (date(2025, 5, 1), date(2025, 5, 31), Overlap.NONE),
        (date(2025, 7, 1), date(2025, 7, 1), Overlap.NONE),
    ],
)
def test_dates_of_a_scope_are_half_open(first: date, last: date, expected: Overlap) -> None:
    work = Scope("massive", "stocks", JUNE, JULY)

    assert overlap(whole(first, last), work, scope_columns(MINUTE_BARS)) is expected


def test_unknown_bounds_are_never_taken_for_inside_or_outside() -> None:
    work = Scope("massive", "stocks", JUNE, JULY)

    assert overlap(Bounds(), work, scope_columns(MINUTE_BARS)) is Overlap.SOME


def test_another_source_dataset_or_landing_is_outside() -> None:
    columns, file = scope_columns(BRONZE), whole(JUNE, JUNE, landing=7)

    def found(source: str, dataset: str, landing: int | None) -> Overlap:
        return overlap(file, Scope(source, dataset, JUNE, JULY, landing), columns)

    assert found("massive", "stocks", 7) is Overlap.ALL
    assert found("massive", "stocks", None) is Overlap.ALL
    assert found("", "", None) is Overlap.ALL
    assert found("massive", "stocks", 8) is Overlap.NONE
    assert found("yahoo", "stocks", 7) is Overlap.NONE
    assert found("massive", "options", 7) is Overlap.NONE


def test_tables_are_bounded_by_the_columns_they_have() -> None:
    assert scope_columns(MINUTE_BARS).names == ("trade_date", "source", "dataset", "symbol")
    assert scope_columns(BRONZE).symbol == "ticker"
    assert scope_columns(SESSIONS).names == ("trade_date", "calendar")
    assert scope_columns(RUNS).date == "started"


@given(st.dates())
def test_partition_numbers_are_those_of_iceberg(day: date) -> None:
    for partition, transform in ((month("d"), MonthTransform()), (year("d"), YearTransform())):
        to_number: Any = transform.transform(DateType())
        expected = to_number(day)
        assert partition_value(partition, day) == expected


def test_a_range_of_dates_touches_its_partitions_only() -> None:
    assert partition_range(month("d"), JUNE, JULY) == (665, 665)
    assert partition_range(month("d"), JUNE, date(2025, 7, 2)) == (665, 666)
    assert partition_range(DAILY_BARS.partition, JUNE, JULY) == (55, 55)
    assert partition_range(None, JUNE, JULY) is None


def test_folders_hold_no_equals_sign_that_readers_make_columns_of() -> None:
    assert partition_folder(month("d"), JUNE) == "2025-06"
    assert partition_folder(year("d"), JUNE) == "2025"
    assert partition_folder(None, JUNE) == "all"


def test_scopes_meet_only_where_a_row_could_be_in_both() -> None:
    columns = scope_columns(BRONZE)
    one = Scope("massive", "stocks", JUNE, JULY, 1)

    assert disjoint([one, Scope("massive", "stocks", JUNE, JULY, 2)], columns)
    assert disjoint([one, Scope("massive", "options", JUNE, JULY, 1)], columns)
    assert disjoint([one, Scope("massive", "stocks", JULY, date(2025, 8, 1), 1)], columns)
    assert not disjoint([one, Scope("massive", "stocks", JUNE, JULY)], columns)
    assert not disjoint([one, Scope("", "", JUNE, JULY)], columns)
