"""The tables of a lake work on any object store: staged, committed, read, looked after, healed."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from ingot.errors import CommitConflictError, DamagedFileError
from ingot.storage.fs.durable import Scratch
from ingot.storage.fs.object_store import LocalObjects
from ingot.storage.iceberg.catalog.sqlite import SqliteCatalog
from ingot.storage.iceberg.maintenance import orphans
from ingot.storage.iceberg.maintenance.metadata_recovery import catalog_damage, remake_catalog
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import TableStore
from ingot.storage.integrity import scrub
from ingot.storage.integrity.scrub import Kind
from ingot.tables.registry import all_tables
from tests.support.memory_stores import MemoryCatalog, MemoryObjects
from tests.support.storage_bars import (
    MASSIVE,
    MINUTE_BARS,
    MONDAY,
    ONE_DAY,
    STOCKS,
    TUESDAY,
    Row,
    load,
    rows_of,
    scope,
    stage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.storage.fs.object_store import ObjectStore

BOTH = rows_of(MONDAY, {"AAPL": 1, "MSFT": 2}) + rows_of(TUESDAY, {"AAPL": 3})
LATER_S = 10 * 24 * 3600.0


@pytest.fixture(params=["local", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    scratch = Scratch(tmp_path / "tmp")
    local = LocalObjects(tmp_path / "store", scratch=scratch)
    yield MemoryObjects() if request.param == "memory" else local
    scratch.close()


@pytest.fixture
def store(objects: ObjectStore, tmp_path: Path) -> Iterator[TableStore]:
    """The tables of a lake of two days, whose own folder keeps none of their files."""
    root = tmp_path / "lake"
    with TableStore.create(root, catalog=MemoryCatalog(), objects=objects) as made:
        load(made, MONDAY, {"AAPL": 1, "MSFT": 2})
        load(made, TUESDAY, {"AAPL": 3})
        yield made
        assert not (root / "warehouse").exists()


def rows(store: TableStore, objects: ObjectStore) -> Counter[Row]:
    """Return the rows of the planned files, each with how often it is there."""
    columns = ["source", "dataset", "trade_date", "symbol", "transactions"]
    names = [
        f.path.rpartition("/warehouse/")[2] for f in store.plan(ScanRequest(MINUTE_BARS)).files
    ]
    tables = (pq.read_table(BytesIO(objects.get(f"warehouse/{name}"))) for name in names)
    return Counter(tuple(r.values()) for t in tables for r in t.select(columns).to_pylist())


def damage(objects: ObjectStore, name: str) -> None:
    data = bytearray(objects.get(name))
    data[len(data) // 2] ^= 1
    objects.delete(name)
    assert objects.put_if_absent(name, bytes(data))


def found_by_scrub(store: TableStore) -> dict[str, Kind]:
    """Return the kinds of the damaged files by name."""
    targets = scrub.table_files(store.workplace(MINUTE_BARS))
    return {t.name: t.kind for t in targets if scrub.damage(t, lambda _: None)}


def name_of(store: TableStore, kind: Kind, *, last: bool = True) -> str:
    targets = scrub.table_files(store.workplace(MINUTE_BARS))
    return [t.name for t in targets if t.kind is kind][-1 if last else 0]


def test_what_is_staged_and_committed_is_read(store: TableStore, objects: ObjectStore) -> None:
    assert rows(store, objects) == BOTH
    relation = store.plan(ScanRequest(MINUTE_BARS)).verify().relation()
    assert relation.options == objects.options
    assert all(path.startswith(objects.place("")) for path in relation.paths)


def test_a_lake_is_opened_again(store: TableStore, objects: ObjectStore, tmp_path: Path) -> None:
    with TableStore(tmp_path / "lake", catalog=store._pointers, objects=objects) as again:
        load(again, MONDAY, {"AAPL": 9})
        expected = rows_of(MONDAY, {"AAPL": 9}) + rows_of(TUESDAY, {"AAPL": 3})
        assert rows(again, objects) == expected


def test_files_are_merged_and_cut_through(store: TableStore, objects: ObjectStore) -> None:
    end = MONDAY + 2 * ONE_DAY
    store.compact(MINUTE_BARS, source=MASSIVE, dataset=STOCKS, start=MONDAY, end=end, run="merge")
    assert rows(store, objects) == BOTH
    assert len(store.plan(ScanRequest(MINUTE_BARS)).files) == 1
    load(store, TUESDAY, {"AAPL": 4})
    expected = rows_of(MONDAY, {"AAPL": 1, "MSFT": 2}) + rows_of(TUESDAY, {"AAPL": 4})
    assert rows(store, objects) == expected


def test_a_commit_of_a_file_that_is_gone_does_not_land(
    store: TableStore, objects: ObjectStore
) -> None:
    work = stage(store, scope(TUESDAY), {"AAPL": 5})
    objects.delete(store.workplace(MINUTE_BARS).files.name(work.files[0].location))
    with pytest.raises(CommitConflictError, match="was removed or changed"):
        store.replace(MINUTE_BARS, [work], run="run")
    assert rows(store, objects) == BOTH


def test_a_whole_table_passes_a_scrub(store: TableStore) -> None:
    kinds = {target.kind for target in scrub.table_files(store.workplace(MINUTE_BARS))}
    assert kinds == {
        Kind.METADATA,
        Kind.OLD_METADATA,
        Kind.MANIFEST_LIST,
        Kind.MANIFEST,
        Kind.DATA,
    }
    assert found_by_scrub(store) == {}


@pytest.mark.parametrize("kind", [Kind.DATA, Kind.MANIFEST, Kind.MANIFEST_LIST, Kind.METADATA])
@pytest.mark.parametrize("lost", [False, True])
def test_a_scrub_finds_what_is_damaged_or_lost(
    store: TableStore, objects: ObjectStore, kind: Kind, lost: bool
) -> None:
    name = name_of(store, kind)
    if lost:
        objects.delete(name)
    else:
        damage(objects, name)
    assert found_by_scrub(store) == {name: kind}


def test_damage_is_found_before_it_is_read(store: TableStore, objects: ObjectStore) -> None:
    damage(objects, name_of(store, Kind.DATA))
    with pytest.raises(DamagedFileError, match="SHA-256"):
        store.plan(ScanRequest(MINUTE_BARS)).verify()


def test_a_snapshot_that_names_a_damaged_file_is_told_apart(
    store: TableStore, objects: ObjectStore
) -> None:
    old = store.head(MINUTE_BARS)
    name = name_of(store, Kind.DATA, last=False)
    load(store, MONDAY, {"AAPL": 6})
    load(store, TUESDAY, {"AAPL": 6})
    damage(objects, name)
    place = store.workplace(MINUTE_BARS)
    broken = scrub.broken_snapshots(place, {name})
    assert old in broken
    assert store.head(MINUTE_BARS) not in broken
    assert scrub.is_readable(place)


def test_a_table_whose_description_is_damaged_is_made_anew(
    store: TableStore, objects: ObjectStore
) -> None:
    damage(objects, name_of(store, Kind.METADATA))
    place = store.workplace(MINUTE_BARS)
    store._reader._states.clear()
    assert not scrub.is_readable(place)
    store.remake(MINUTE_BARS)
    assert scrub.is_readable(place)
    load(store, MONDAY, {"AAPL": 7})
    assert rows(store, objects) == rows_of(MONDAY, {"AAPL": 7})


def test_orphans_are_set_aside_put_back_and_deleted(
    store: TableStore, objects: ObjectStore
) -> None:
    place = store.workplace(MINUTE_BARS)
    work = stage(store, scope(TUESDAY), {"AAPL": 8})
    left = place.files.name(work.files[0].location)
    now_s = (objects.written_ns(left) or 0) / 1e9 + LATER_S
    assert orphans.orphans(place) == ()

    assert orphans.set_aside(place, now_s=now_s) == (left,)
    assert objects.size(left) is None
    assert orphans.delete_set_aside(place, now_s=now_s) == ()
    (aside,) = objects.list(f"{place.home}/orphans")
    objects.move(aside, left)
    store.replace(MINUTE_BARS, [work], run="run")
    objects.move(left, aside)
    assert orphans.put_back(place) == (left,)

    (other,) = stage(store, scope(TUESDAY), {"AAPL": 9}).files
    assert orphans.set_aside(place, now_s=now_s) == (place.files.name(other.location),)
    assert len(orphans.delete_set_aside(place, now_s=now_s + LATER_S)) == 1
    assert objects.names(f"{place.home}/orphans") == ([], [])
    expected = rows_of(MONDAY, {"AAPL": 1, "MSFT": 2}) + rows_of(TUESDAY, {"AAPL": 8})
    assert rows(store, objects) == expected


def test_a_lost_catalog_is_made_anew_from_the_metadata(
    store: TableStore, objects: ObjectStore, tmp_path: Path
) -> None:
    path = tmp_path / "catalog.db"
    assert catalog_damage(path, objects) == "it is missing or empty"
    head = store.pointer(MINUTE_BARS)
    remake_catalog(path, objects, set(), all_tables())
    assert catalog_damage(path, objects) == ""
    with TableStore(tmp_path / "again", catalog=SqliteCatalog(path), objects=objects) as again:
        assert again.pointer(MINUTE_BARS) == head
        assert rows(again, objects) == BOTH
