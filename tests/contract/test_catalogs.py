"""Every catalog moves a table's pointer by compare-and-set, and a lake works on any of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ingot.storage.iceberg.catalog.sqlite import SqliteCatalog
from ingot.storage.iceberg.table_store import TableStore
from ingot.tables.registry import ALL_TABLES
from tests.support.memory_stores import MemoryCatalog
from tests.support.storage_bars import MONDAY, TUESDAY, load, planned_rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.storage.iceberg.catalog.sqlite import Catalog

BARS, SPLITS = "silver.minute_bars", "silver.corporate_actions"


@pytest.fixture(params=["sqlite", "memory"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    made = MemoryCatalog() if request.param == "memory" else SqliteCatalog.create(tmp_path / "c.db")
    yield made
    made.close()


def test_a_table_is_there_once_it_is_named(catalog: Catalog) -> None:
    assert catalog.get(BARS) is None
    assert dict(catalog.all()) == {}
    assert catalog.swap(BARS, None, "file:///a/1")
    assert catalog.get(BARS) == "file:///a/1"
    assert dict(catalog.all()) == {BARS: "file:///a/1"}


def test_a_table_that_is_there_is_not_made_again(catalog: Catalog) -> None:
    assert catalog.swap(BARS, None, "file:///a/1")
    assert not catalog.swap(BARS, None, "file:///a/2")
    assert catalog.get(BARS) == "file:///a/1"


def test_a_pointer_moves_from_the_expected_state_only(catalog: Catalog) -> None:
    assert not catalog.swap(BARS, "file:///a/1", "file:///a/2")
    assert catalog.get(BARS) is None
    assert catalog.swap(BARS, None, "file:///a/1")
    assert catalog.swap(BARS, "file:///a/1", "file:///a/2")
    assert not catalog.swap(BARS, "file:///a/1", "file:///a/3")
    assert catalog.get(BARS) == "file:///a/2"


def test_tables_do_not_touch_each_other(catalog: Catalog) -> None:
    assert catalog.swap(BARS, None, "file:///a/1")
    assert catalog.swap(SPLITS, None, "file:///b/1")
    assert catalog.swap(BARS, "file:///a/1", "file:///a/2")
    assert dict(catalog.all()) == {BARS: "file:///a/2", SPLITS: "file:///b/1"}


def test_a_table_is_removed_from_the_expected_state_only(catalog: Catalog) -> None:
    assert catalog.swap(BARS, None, "file:///a/1")
    assert not catalog.swap(BARS, "file:///a/0", None)
    assert catalog.swap(BARS, "file:///a/1", None)
    catalog.swap(BARS, None, None)
    assert (catalog.get(BARS), dict(catalog.all())) == (None, {})
    assert catalog.swap(BARS, None, "file:///a/2")


def test_of_writers_that_expect_one_state_exactly_one_moves_it(catalog: Catalog) -> None:
    assert catalog.swap(BARS, None, "file:///a/0")
    with ThreadPoolExecutor(8) as pool:
        tries = [
            pool.submit(catalog.swap, BARS, "file:///a/0", f"file:///a/{n}") for n in range(1, 9)
        ]
        moved = [n for n, made in enumerate(tries, start=1) if made.result()]
    assert len(moved) == 1
    assert catalog.get(BARS) == f"file:///a/{moved[0]}"


def test_it_can_be_used_again_after_close(catalog: Catalog) -> None:
    assert catalog.swap(BARS, None, "file:///a/1")
    catalog.close()
    assert catalog.get(BARS) == "file:///a/1"
    assert catalog.swap(BARS, "file:///a/1", "file:///a/2")


def test_a_lake_loads_and_reads_on_any_catalog(catalog: Catalog, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    with TableStore.create(root, catalog=catalog) as store:
        load(store, MONDAY, {"AAPL": 1})
        load(store, TUESDAY, {"MSFT": 2})
        load(store, MONDAY, {"AAPL": 3})
    assert set(catalog.all()) == {table.name for table in ALL_TABLES}
    assert not (root / "catalog.db").exists()
    with TableStore(root, catalog=catalog) as store:
        expected = rows_of(MONDAY, {"AAPL": 3}) + rows_of(TUESDAY, {"MSFT": 2})
        assert planned_rows(store) == expected


def test_writers_of_one_table_replan_on_any_catalog(catalog: Catalog, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    TableStore.create(root, catalog=catalog).close()
    with (
        TableStore(root, catalog=catalog) as one,
        TableStore(root, catalog=catalog) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        loads = [
            pool.submit(load, one, MONDAY, {"AAPL": 1}),
            pool.submit(load, other, TUESDAY, {"MSFT": 2}),
        ]
        assert all(made.result() is not None for made in loads)
        expected = rows_of(MONDAY, {"AAPL": 1}) + rows_of(TUESDAY, {"MSFT": 2})
        assert planned_rows(one) == expected
