"""Tags keep snapshots from expiry until they are taken away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ingot.errors import DamagedFileError, QueryError, SnapshotGoneError
from ingot.storage.iceberg.maintenance import orphans
from ingot.storage.iceberg.table_store import TableStore
from ingot.storage.landing.export_records import ExportStore
from ingot.storage.landing.store import LandingStore
from tests.support.storage_bars import MINUTE_BARS, MONDAY, TUESDAY, load, planned_rows

if TYPE_CHECKING:
    from pathlib import Path

LATER = datetime(2100, 1, 1, tzinfo=UTC)
NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


def expire_all(store: TableStore) -> None:
    going = store.expirable(MINUTE_BARS, keep_last=1, before=LATER)
    store.expire(MINUTE_BARS, going)


def test_a_pinned_snapshot_outlives_expiry_and_is_read_as_it_was(tmp_path: Path) -> None:
    with TableStore.create(tmp_path / "lake") as store:
        pinned = load(store, MONDAY, {"AAPL": 1})
        other = load(store, TUESDAY, {"AAPL": 2})
        load(store, TUESDAY, {"AAPL": 3})
        assert pinned is not None
        store.pin(MINUTE_BARS, pinned, "export-1")
        expire_all(store)
        assert pinned in store.snapshots(MINUTE_BARS)
        assert other not in store.snapshots(MINUTE_BARS)
        assert orphans.set_aside(store.workplace(MINUTE_BARS), min_age_s=0) != ()
        assert len(planned_rows(store, snapshot_id=pinned)) == 1

        store.unpin(MINUTE_BARS, "export-1")
        expire_all(store)
        assert store.pins(MINUTE_BARS) == {}
        assert pinned not in store.snapshots(MINUTE_BARS)


def test_pinning_twice_and_unpinning_what_is_not_there_change_nothing(tmp_path: Path) -> None:
    with TableStore.create(tmp_path / "lake") as store:
        head = load(store, MONDAY, {"AAPL": 1})
        assert head is not None
        store.pin(MINUTE_BARS, head, "a")
        before = store.pointer(MINUTE_BARS)
        store.pin(MINUTE_BARS, head, "a")
        store.unpin(MINUTE_BARS, "b")
        assert store.pointer(MINUTE_BARS) == before
        assert store.pins(MINUTE_BARS) == {"a": head}


def test_a_snapshot_that_is_gone_cannot_be_pinned(tmp_path: Path) -> None:
    with TableStore.create(tmp_path / "lake") as store:
        load(store, MONDAY, {"AAPL": 1})
        with pytest.raises(SnapshotGoneError, match=r"Snapshot 7 of .* has expired"):
            store.pin(MINUTE_BARS, 7, "a")


def test_exports_are_kept_until_released_and_can_be_used_again(tmp_path: Path) -> None:
    exports = ExportStore(LandingStore(tmp_path))
    exports.add("abc1", "text", at=NOON, folder="out")
    exports.add("abc1", "text", at=LATER, folder="again")
    assert [(r.export_id, r.exported_at, r.folder) for r in exports.all()] == [
        ("abc1", NOON, "out")
    ]
    exports.release("abc1", at=NOON)
    exports.release("abc1", at=LATER)
    assert exports.find("ab").released_at == NOON
    exports.add("abc1", "text", at=LATER, folder="again")
    assert exports.find("abc1").released_at is None


def test_an_export_is_found_by_how_its_id_begins(tmp_path: Path) -> None:
    exports = ExportStore(LandingStore(tmp_path))
    for name in ("ab1", "ab2"):
        exports.add(name, "text", at=NOON, folder="out")
    with pytest.raises(QueryError, match="begins several: ab1, ab2"):
        exports.find("ab")
    with pytest.raises(QueryError, match="There is no export 'x'"):
        exports.find("x")


def test_a_damaged_record_of_an_export_is_named(tmp_path: Path) -> None:
    exports = ExportStore(LandingStore(tmp_path))
    exports.add("ab1", "text", at=NOON, folder="out")
    (tmp_path / "exports" / "ab1" / "1.json").write_text("{")
    with pytest.raises(DamagedFileError, match=r"1\.json is damaged: it is not JSON"):
        exports.all()
