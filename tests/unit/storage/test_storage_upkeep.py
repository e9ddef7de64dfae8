from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from ingot.errors import (
    ContractBrokenError,
    DamagedFileError,
    LookAtDataError,
)
from ingot.storage.fs.durable import Scratch
from ingot.storage.fs.object_store import LocalObjects
from ingot.storage.iceberg.layout.file_access import FileAccess
from ingot.storage.iceberg.maintenance import orphans
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import Replacement, TableStore
from ingot.tables import contract
from ingot.tables.contract import Column
from ingot.tables.gold import DAILY_BARS
from ingot.tables.registry import ALL_TABLES
from tests.support.storage_bars import (
    MASSIVE,
    MINUTE_BARS,
    MONDAY,
    ONE_DAY,
    STOCKS,
    TUESDAY,
    bars,
    files_below,
    iceberg_rows,
    load,
    name_in,
    planned_rows,
    rows_of,
    scope,
    stage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
GROWN = replace(
    MINUTE_BARS,
    columns=(*MINUTE_BARS.columns, Column("note", contract.String, "A note.", nullable=True)),
)
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def store(root: Path) -> Iterator[TableStore]:
    with TableStore.create(root) as found:
        yield found


def compact(store: TableStore) -> int | None:
    return store.compact(
        MINUTE_BARS,
        source=MASSIVE,
        dataset=STOCKS,
        start=MONDAY,
        end=MONDAY + 20 * ONE_DAY,
        run="merge",
    )


def test_making_a_lake_twice_changes_nothing(root: Path, store: TableStore) -> None:
    load(store, MONDAY, {"AAPL": 1})
    before = store.pointer(MINUTE_BARS)

    TableStore.create(root).close()

    assert store.pointer(MINUTE_BARS) == before


def test_a_lake_whose_making_was_cut_short_can_be_made(root: Path) -> None:
    root.mkdir()
    (root / "catalog.db").touch()

    with TableStore.create(root) as store:
        assert load(store, MONDAY, {"AAPL": 1}) is not None


def test_every_contract_has_its_table_with_its_columns(store: TableStore) -> None:
    for table in ALL_TABLES:
        found = store._catalog.load_table(table.name)
        assert [f.name for f in found.schema().fields] == list(table.column_names)
        assert [f.field_id for f in found.schema().fields] == list(range(1, len(table.columns) + 1))
        assert [f.required for f in found.schema().fields] == [
            not c.nullable for c in table.columns
        ]
        assert found.format_version == 2
        assert len(found.spec().fields) == (0 if table.partition is None else 1)
        assert not store.ensure(table)


def test_a_table_that_a_newer_version_brings_is_made_on_opening(
    root: Path, store: TableStore
) -> None:
    assert store._pointers.swap("gold.daily_bars", store.pointer(DAILY_BARS), None)

    with TableStore.open(root) as again:
        assert all(again.pointer(table) for table in ALL_TABLES)


def test_a_lake_that_was_copied_never_touches_the_original(
    root: Path, store: TableStore, tmp_path: Path
) -> None:
    load(store, MONDAY, {"AAPL": 1})
    load(store, TUESDAY, {"AAPL": 2})
    shutil.copytree(root, tmp_path / "copy")
    original = files_below(root)

    with TableStore.open(tmp_path / "copy") as copy:
        assert all(
            str(tmp_path / "copy") in file.path
            for file in copy.plan(ScanRequest(MINUTE_BARS)).files
        )
        load(copy, MONDAY, {"AAPL": 9})
        compact(copy)
        orphans.set_aside(copy.workplace(MINUTE_BARS), min_age_s=-60)
        assert planned_rows(copy) == rows_of(MONDAY, {"AAPL": 9}) + rows_of(TUESDAY, {"AAPL": 2})

    assert files_below(root) == original
    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1}) + rows_of(TUESDAY, {"AAPL": 2})


def test_a_lake_that_was_moved_reads_and_writes(
    root: Path, store: TableStore, tmp_path: Path
) -> None:
    load(store, MONDAY, {"AAPL": 1})
    store.close()
    root.rename(tmp_path / "moved")

    TableStore.create(tmp_path / "moved").close()
    with TableStore.open(tmp_path / "moved") as moved:
        load(moved, TUESDAY, {"AAPL": 2})
        assert planned_rows(moved) == rows_of(MONDAY, {"AAPL": 1}) + rows_of(TUESDAY, {"AAPL": 2})
    assert not root.exists()


def test_locations_map_both_ways(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path, scratch=Scratch(tmp_path / "tmp"))
    moved = FileAccess(objects, "/old place/lake")

    assert moved.name("file:///old place/lake/warehouse/a.parquet") == "warehouse/a.parquet"
    assert moved.url("file:/old place/lake/a") == str(tmp_path / "a")
    assert moved.location("a") == "file:///old place/lake/a"
    assert moved.url("file:/elsewhere/b") == moved.url("/elsewhere/b") == "/elsewhere/b"


def test_locations_of_a_bucket_map_both_ways(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path, scratch=Scratch(tmp_path / "tmp"))
    pointers = {"silver.day_bars": "s3://b/lake/warehouse/silver/day_bars/metadata/1.metadata.json"}
    files = FileAccess.of_lake(objects, pointers)

    assert files.recorded == "s3://b/lake"
    assert files.location("warehouse/a") == "s3://b/lake/warehouse/a"
    assert files.name("s3://b/lake/warehouse/a") == "warehouse/a"


def test_a_contract_that_grew_adds_its_column_and_old_files_give_nulls(
    store: TableStore, root: Path
) -> None:
    load(store, MONDAY, {"AAPL": 1})
    assert store.plan(ScanRequest(GROWN)).columns[22] == ("note", "VARCHAR")

    load(store, TUESDAY, {"AAPL": 2}, table=GROWN)

    assert store.plan(ScanRequest(MINUTE_BARS)).columns[22] == ("note", "VARCHAR")
    old, new = store.plan(ScanRequest(GROWN)).files
    assert "note" not in pq.read_schema(old.path).names
    assert "note" in pq.read_schema(new.path).names
    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1}) + rows_of(TUESDAY, {"AAPL": 2})


def test_files_from_before_a_column_was_added_can_be_merged_and_cut(store: TableStore) -> None:
    load(store, MONDAY, {"AAPL": 1})
    load(store, TUESDAY, {"AAPL": 2}, table=GROWN)
    store.compact(
        GROWN, source=MASSIVE, dataset=STOCKS, start=MONDAY, end=MONDAY + 2 * ONE_DAY, run="merge"
    )
    load(store, MONDAY, {"AAPL": 3}, table=GROWN)

    assert planned_rows(store) == rows_of(MONDAY, {"AAPL": 3}) + rows_of(TUESDAY, {"AAPL": 2})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((*MINUTE_BARS.columns, Column("n", contract.Int32, "")), "only add nullable columns"),
        ((*MINUTE_BARS.columns[:-1], Column("x", contract.Int32, "")), "Column 21 of"),
    ],
)
def test_a_contract_that_changed_in_another_way_is_refused(
    store: TableStore, columns: tuple[Column, ...], message: str
) -> None:
    with pytest.raises(ContractBrokenError, match=message):
        store.ensure(replace(MINUTE_BARS, columns=columns, key=(), sort=()))


def test_history_says_which_run_and_units_made_each_snapshot(store: TableStore) -> None:
    work = [stage(store, scope(day), {"AAPL": 1}, unit=f"unit {day}") for day in (MONDAY, TUESDAY)]
    first = store.replace(MINUTE_BARS, work, run="first")
    second = store.replace(MINUTE_BARS, [Replacement(scope(MONDAY), (), "gone")], run="second")

    facts = store.history(MINUTE_BARS)

    assert [(f.snapshot_id, f.run, f.operation) for f in facts] == [
        (first, "first", "append"),
        (second, "second", "delete"),
    ]
    assert facts[0].units == ("unit 2025-06-02", "unit 2025-06-03")
    assert (facts[0].rows_added, facts[1].rows_removed) == (2, 1)
    assert store.ancestors(MINUTE_BARS) == {first, second}


def test_very_many_units_are_counted_instead_of_listed(store: TableStore) -> None:
    work = [
        Replacement(scope(MONDAY + n * ONE_DAY), (), f"a/long/name/of/a/unit/{n}")
        for n in range(100)
    ]
    work[0] = stage(store, scope(MONDAY), {"AAPL": 1}, unit="a")
    store.replace(MINUTE_BARS, work, run="run")

    assert store.history(MINUTE_BARS)[0].units is None


def test_files_of_replaced_rows_stay_until_their_snapshots_expire(
    store: TableStore, root: Path
) -> None:
    first = load(store, MONDAY, {"AAPL": 1})
    load(store, MONDAY, {"AAPL": 2})
    assert orphans.orphans(store.workplace(MINUTE_BARS), min_age_s=-60) == ()

    expired = store.expirable(MINUTE_BARS, keep_last=1, before=LATER)
    assert expired == (first,)
    store.expire(MINUTE_BARS, expired)
    gone = orphans.set_aside(store.workplace(MINUTE_BARS), min_age_s=-60)

    assert sorted({Path(name).suffix for name in gone}) == [".avro", ".parquet"]
    assert store.ancestors(MINUTE_BARS) == {store.head(MINUTE_BARS)}
    assert orphans.orphans(store.workplace(MINUTE_BARS), min_age_s=-60) == ()
    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 2})


def test_the_head_and_what_is_recent_never_expire(store: TableStore) -> None:
    ids = [load(store, MONDAY, {"AAPL": n}) for n in range(4)]
    yesterday = datetime.now(UTC) - timedelta(days=1)

    assert store.expirable(MINUTE_BARS, keep_last=0, before=LATER) == tuple(ids[:-1])
    assert store.expirable(MINUTE_BARS, keep_last=3, before=LATER) == tuple(ids[:1])
    assert store.expirable(MINUTE_BARS, keep_last=0, before=yesterday) == ()
    store.expire(MINUTE_BARS, [i for i in ids if i is not None])
    assert store.head(MINUTE_BARS) == ids[-1]


def test_what_a_dead_writer_left_is_an_orphan_once_it_is_old(store: TableStore, root: Path) -> None:
    load(store, MONDAY, {"AAPL": 1})
    (left,) = stage(store, scope(TUESDAY), {"AAPL": 1}).files
    assert orphans.orphans(store.workplace(MINUTE_BARS)) == ()

    os.utime(left.path, (0, 0))

    assert orphans.orphans(store.workplace(MINUTE_BARS)) == (name_in(root, left),)
    assert orphans.set_aside(store.workplace(MINUTE_BARS)) == (name_in(root, left),)
    assert not Path(left.path).exists()
    assert planned_rows(store) == rows_of(MONDAY, {"AAPL": 1})


def test_old_metadata_files_are_removed_beyond_twenty(store: TableStore, root: Path) -> None:
    for n in range(26):
        load(store, MONDAY, {"AAPL": n})

    states = list((root / "warehouse" / "silver" / "minute_bars").rglob("*.metadata.json"))
    assert len(states) == 21


def test_nothing_is_an_orphan_while_a_manifest_is_missing(store: TableStore) -> None:
    load(store, MONDAY, {"AAPL": 1})
    store._reader.__init__(store._pointers, store._files)  # type: ignore[misc]
    for path in files_below(store._root):
        if "-m0." in path.name:
            path.unlink()
    with pytest.raises(DamagedFileError, match="is missing, and nothing was removed"):
        orphans.orphans(store.workplace(MINUTE_BARS), min_age_s=-60)


def test_day_files_are_merged_by_symbol_and_sorted(store: TableStore, root: Path) -> None:
    days = [MONDAY + n * ONE_DAY for n in range(5)]
    for day in days:
        load(store, day, {"ZZ": 1, "AAPL": day.day, "MSFT": 3})
    before = planned_rows(store)

    assert compact(store) == store.head(MINUTE_BARS)

    (file,) = store.plan(ScanRequest(MINUTE_BARS)).files
    assert iceberg_rows(root) == before
    assert store.history(MINUTE_BARS)[-1].operation == "replace"
    rows = pq.read_table(file.path, columns=["symbol", "trade_date"]).to_pylist()
    assert rows == sorted(rows, key=lambda r: (r["symbol"], r["trade_date"]))
    assert compact(store) is None


def test_another_dataset_is_not_merged_along(store: TableStore) -> None:
    for day in (MONDAY, TUESDAY):
        load(store, day, {"AAPL": 1})
        other = stage(store, scope(day, dataset="other"), {"AAPL": 2})
        store.replace(MINUTE_BARS, [other], run="run")

    compact(store)

    assert [f.rows for f in store.plan(ScanRequest(MINUTE_BARS, dataset=STOCKS)).files] == [2]
    assert [f.rows for f in store.plan(ScanRequest(MINUTE_BARS, dataset="other")).files] == [1, 1]


def test_a_file_that_is_not_sorted_is_not_merged(store: TableStore) -> None:
    load(store, MONDAY, {"AAPL": 1})
    rows = bars(MINUTE_BARS, [(MASSIVE, STOCKS, TUESDAY, s, 1) for s in "AB"])
    backwards = rows.take([1, 0])
    files = store.write(MINUTE_BARS, scope(TUESDAY), "d", backwards.to_reader())
    store.replace(MINUTE_BARS, [Replacement(scope(TUESDAY), files, "unit")], run="run")

    with pytest.raises(LookAtDataError, match="does not have the sort order of silver"):
        compact(store)

    assert len(store.plan(ScanRequest(MINUTE_BARS)).files) == 2


def test_a_damaged_catalog_says_so(root: Path, store: TableStore) -> None:
    store.close()
    (root / "catalog.db").write_bytes(b"not a database, but long enough to look like one" * 100)

    for use in (TableStore.open, TableStore.create):
        with pytest.raises(DamagedFileError, match=r"catalog\.db is damaged: .* not a database"):
            use(root)
