"""A table under replacements behaves as a dictionary."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.storage.iceberg.maintenance.orphans import orphans
from ingot.storage.iceberg.table_store import TableStore
from tests.support.storage_bars import (
    DAILY_BARS,
    MINUTE_BARS,
    MONDAY,
    Row,
    iceberg_rows,
    planned_rows,
    scope,
    stage_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.model.unit import Scope
    from ingot.tables.contract import Table

SOURCES = ("massive", "yahoo")
DATASETS = ("stocks", "options")
DAYS = [MONDAY + timedelta(days=7 * n) for n in range(6)]
"""Six Mondays: two months, so that files, partitions and manifests meet in several ways."""


@dataclass(frozen=True)
class Replaced:
    work: Scope
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Merged:
    source: str
    dataset: str


@st.composite
def replaced(draw: st.DrawFn) -> Replaced:
    """Draw a scope, wide or narrow, and rows inside it."""
    source, dataset = draw(st.sampled_from(SOURCES)), draw(st.sampled_from(DATASETS))
    first = draw(st.integers(0, len(DAYS) - 1))
    weeks = draw(st.integers(1, 3))
    work = scope(DAYS[first], 7 * weeks - 6, source=source, dataset=dataset)
    days = [day for day in DAYS if work.start <= day < work.end]
    keys = draw(st.lists(st.tuples(st.sampled_from(days), st.sampled_from("ABC")), unique=True))
    numbers = draw(st.lists(st.integers(0, 9), min_size=len(keys), max_size=len(keys)))
    return Replaced(
        work,
        tuple((source, dataset, d, s, n) for (d, s), n in zip(keys, numbers, strict=True)),
    )


merged = st.builds(Merged, st.sampled_from(SOURCES), st.sampled_from(DATASETS))


@given(st.lists(st.one_of(replaced(), replaced(), merged), max_size=8))
@settings(max_examples=10)
def test_replacements_and_merges_of_minutes_equal_a_dictionary(
    steps: list[Replaced | Merged],
) -> None:
    check(MINUTE_BARS, steps)


@given(st.lists(replaced(), max_size=8))
@settings(max_examples=12)
@pytest.mark.services
def test_replacements_that_cut_through_files_of_a_year_equal_a_dictionary(
    steps: list[Replaced],
) -> None:
    check(DAILY_BARS, steps)


def check(table: Table, steps: list[Replaced] | list[Replaced | Merged]) -> None:
    model: set[Row] = set()
    with tempfile.TemporaryDirectory() as folder, TableStore.create(Path(folder)) as store:
        for step in steps:
            if isinstance(step, Merged):
                merge(store, table, step)
                continue
            work = stage_rows(store, step.work, step.rows, table=table)
            store.replace(table, [work], run="run")
            model = {row for row in model if not inside(row, step.work)} | set(step.rows)
        assert planned_rows(store, table) == Counter(model)
        assert iceberg_rows(Path(folder), table) == Counter(model)
        assert store.stats(table).rows == len(model)
        assert orphans(store.workplace(table), min_age_s=3600.0) == ()


def merge(store: TableStore, table: Table, step: Merged) -> None:
    for start, end in months():
        store.compact(
            table, source=step.source, dataset=step.dataset, start=start, end=end, run="merge"
        )


def months() -> Iterator[tuple[date, date]]:
    june, july = DAYS[0].replace(day=1), DAYS[-1].replace(day=1)
    yield june, july
    yield july, july + timedelta(days=31)


def inside(row: Row, work: Scope) -> bool:
    return row[:2] == (work.source, work.dataset) and work.start <= row[2] < work.end


@given(st.lists(replaced(), min_size=2, max_size=5), st.data())
@settings(max_examples=10)
@pytest.mark.services
def test_one_commit_of_many_scopes_equals_one_commit_each(
    steps: list[Replaced], data: st.DataObject
) -> None:
    apart: list[Replaced] = []
    for step in steps:
        if all(not meets(step.work, other.work) for other in apart):
            apart.append(step)
    order = data.draw(st.permutations(apart))
    with tempfile.TemporaryDirectory() as folder, TableStore.create(Path(folder)) as store:
        for step in steps:
            store.replace(MINUTE_BARS, [stage_rows(store, step.work, step.rows)], run="run")
        new = [stage_rows(store, step.work, step.rows) for step in order]
        store.replace(MINUTE_BARS, new, run="run")
        for step in apart:
            found = planned_rows(
                store,
                start=step.work.start,
                end=step.work.end,
                source=step.work.source,
                dataset=step.work.dataset,
            )
            assert found == Counter(step.rows)


def meets(one: Scope, other: Scope) -> bool:
    same = (one.source, one.dataset) == (other.source, other.dataset)
    return same and one.start < other.end and other.start < one.end
