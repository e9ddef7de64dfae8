from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
)
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.typedef import Record

from ingot.errors import LakeNotFoundError, QueryError
from ingot.model.unit import Scope
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import Replacement, TableStore
from ingot.tables.arrow import arrow_schema
from ingot.tables.bronze import DAY_BARS as BRONZE_DAY_BARS
from ingot.tables.silver import SESSIONS
from tests.support.storage_bars import (
    DAILY_BARS,
    MASSIVE,
    MINUTE_BARS,
    MONDAY,
    ONE_DAY,
    STOCKS,
    TUESDAY,
    load,
    planned_rows,
    pyiceberg_table,
    rows_of,
    scope,
    stage,
    stage_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyiceberg.table import Table as IcebergTable


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TableStore]:
    with TableStore.create(tmp_path / "lake") as found:
        yield found


@pytest.fixture
def loaded(store: TableStore) -> TableStore:
    """Five days in three months, one commit each, and another source on the first day."""
    for day in (MONDAY, TUESDAY, date(2025, 7, 1), date(2025, 7, 2), date(2025, 9, 1)):
        load(store, day, {"AAPL": day.day, "MSFT": day.day})
    other = stage(store, scope(MONDAY, source="yahoo"), {"ZZ": 1})
    store.replace(MINUTE_BARS, [other], run="run")
    return store


def test_a_lake_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LakeNotFoundError, match="There is no lake at"):
        TableStore.open(tmp_path)


def test_an_empty_table_plans_no_file(store: TableStore) -> None:
    plan = store.plan(ScanRequest(MINUTE_BARS))

    assert (plan.files, plan.rows, plan.snapshot_id) == ((), 0, None)
    assert plan.columns[3] == ("symbol", "VARCHAR")
    assert store.head(MINUTE_BARS) is None


def test_a_plan_holds_the_days_asked_for_and_no_other(loaded: TableStore) -> None:
    plan = loaded.plan(ScanRequest(MINUTE_BARS, start=TUESDAY, end=date(2025, 7, 2)))

    assert [file.first for file in plan.files] == [TUESDAY, date(2025, 7, 1)]
    assert plan.rows == 4
    assert plan.files[0].last == TUESDAY
    assert (plan.files[0].symbol_lower, plan.files[0].symbol_upper) == ("AAPL", "MSFT")


def test_a_plan_can_be_narrowed_to_a_source_and_a_dataset(loaded: TableStore) -> None:
    assert loaded.plan(ScanRequest(MINUTE_BARS, source="yahoo")).rows == 1
    assert loaded.plan(ScanRequest(MINUTE_BARS, source=MASSIVE, end=TUESDAY)).rows == 2
    assert loaded.plan(ScanRequest(MINUTE_BARS, dataset="other")).rows == 0


def test_plans_agree_with_those_of_pyiceberg(loaded: TableStore) -> None:
    table = loaded._catalog.load_table(MINUTE_BARS.name)
    for day in (MONDAY, date(2025, 7, 2), date(2025, 8, 1)):
        theirs = table.scan(row_filter=f"trade_date = '{day}'").plan_files()
        ours = loaded.plan(ScanRequest(MINUTE_BARS, start=day, end=day + ONE_DAY))
        assert {f.file.file_path for f in theirs} == {f"file://{f.path}" for f in ours.files}


def test_a_past_snapshot_is_planned_as_it_was(store: TableStore) -> None:
    first = load(store, MONDAY, {"AAPL": 1})
    load(store, MONDAY, {"AAPL": 2})

    assert planned_rows(store, snapshot_id=first) == rows_of(MONDAY, {"AAPL": 1})
    assert planned_rows(store) == rows_of(MONDAY, {"AAPL": 2})


def test_a_snapshot_that_is_not_there_is_named(loaded: TableStore) -> None:
    with pytest.raises(QueryError, match=r"silver\.minute_bars has no snapshot 42"):
        loaded.plan(ScanRequest(MINUTE_BARS, snapshot_id=42))


def test_the_pointer_changes_with_each_commit_and_only_then(loaded: TableStore) -> None:
    before, other = loaded.pointer(MINUTE_BARS), loaded.pointer(DAILY_BARS)
    assert loaded.pointer(MINUTE_BARS) == before

    load(loaded, MONDAY, {"AAPL": 3})

    assert loaded.pointer(MINUTE_BARS) != before
    assert loaded.pointer(DAILY_BARS) == other


def test_a_reader_sees_what_another_store_commits(loaded: TableStore) -> None:
    with TableStore.open(loaded._root) as reader:
        assert reader.plan(ScanRequest(MINUTE_BARS, end=TUESDAY)).rows == 3
        load(loaded, MONDAY, {"AAPL": 3})
        assert reader.plan(ScanRequest(MINUTE_BARS, end=TUESDAY)).rows == 2


def test_the_relation_reads_by_field_id_and_keeps_the_predicate(loaded: TableStore) -> None:
    relation = loaded.plan(
        ScanRequest(MINUTE_BARS, start=MONDAY, end=TUESDAY, source=MASSIVE)
    ).relation("symbol = 'AAPL'")
    fields = ", ".join(
        f"{i}: {{name: '{name}', type: '{kind}', default_value: NULL}}"
        for i, (name, kind) in relation.columns.items()
    )
    rows = duckdb.connect().sql(
        f"SELECT symbol, transactions, close FROM read_parquet({list(relation.paths)}, "
        f"schema=MAP {{{fields}}}) WHERE {relation.where}"
    )

    assert [tuple(map(str, row)) for row in rows.fetchall()] == [("AAPL", "2", "1.500000")]


def test_a_plan_over_delete_files_refuses_to_be_a_relation(loaded: TableStore) -> None:
    plan = replace(loaded.plan(ScanRequest(MINUTE_BARS)), has_deletes=True)

    with pytest.raises(QueryError, match="holds delete files that another engine wrote"):
        plan.relation()


def test_delete_files_of_another_engine_are_noticed(loaded: TableStore) -> None:
    with pyiceberg_table(loaded._root) as table:
        _add_delete_file(table, month=(2025 - 1970) * 12 + 5)

    assert loaded.plan(ScanRequest(MINUTE_BARS, start=MONDAY, end=TUESDAY)).has_deletes
    assert not loaded.plan(ScanRequest(MINUTE_BARS, start=date(2025, 7, 1))).has_deletes


def _add_delete_file(table: IcebergTable, month: int) -> None:
    """Commit a manifest of position deletes, which PyIceberg has no writer for."""

    class DeleteWriter(ManifestWriterV2):
        def content(self) -> ManifestContent:
            return ManifestContent.DELETES

    class AppendDeletes(_FastAppendFiles):
        def _manifests(self) -> list[ManifestFile]:
            writer = DeleteWriter(
                table.spec(), table.schema(), self.new_manifest_output(), self._snapshot_id, "null"
            )
            deletes = DataFile.from_args(
                content=DataFileContent.POSITION_DELETES,
                file_path=f"{table.location()}/data/deletes.parquet",
                file_format=FileFormat.PARQUET,
                partition=Record(month),
                record_count=1,
                file_size_in_bytes=1,
                spec_id=0,
            )
            deletes.spec_id = 0
            with writer:
                writer.add(
                    ManifestEntry.from_args(
                        status=ManifestEntryStatus.ADDED, snapshot_id=1, data_file=deletes
                    )
                )
            return [writer.to_manifest_file(), *self._existing_manifests()]

    with table.transaction() as transaction:
        AppendDeletes(Operation.APPEND, transaction, table.io).commit()


def test_stats_come_from_the_head(loaded: TableStore) -> None:
    stats = loaded.stats(MINUTE_BARS)
    plan = loaded.plan(ScanRequest(MINUTE_BARS))

    assert (stats.rows, stats.files, stats.snapshots) == (11, 6, 6)
    assert stats.size_bytes == plan.size_bytes
    assert stats.last_commit is not None
    assert datetime.now(UTC) - stats.last_commit < timedelta(hours=1)
    assert loaded.stats(DAILY_BARS).last_commit is None


def test_a_table_without_partitions_is_replaced_by_calendar(store: TableStore) -> None:
    def sessions(calendar: str, days: int) -> pa.Table:
        rows = [
            {
                "calendar": calendar,
                "trade_date": MONDAY + n * ONE_DAY,
                "session": "regular",
                "start_ns": n,
                "end_ns": n + 1,
                "digest": "d",
            }
            for n in range(days)
        ]
        return pa.Table.from_pylist(rows, schema=arrow_schema(SESSIONS))

    for calendar, days in (("XNYS", 40), ("24/7", 50), ("XNYS", 3)):
        work = scope(MONDAY, 60, source="sessions", dataset=calendar)
        files = store.write(SESSIONS, work, "d", sessions(calendar, days).to_reader())
        assert len(files) == 1
        store.replace(SESSIONS, [Replacement(work, files, "unit")], run="run")

    assert store.plan(ScanRequest(SESSIONS)).rows == 53
    assert store.plan(ScanRequest(SESSIONS, dataset="XNYS")).rows == 3


def test_a_bronze_scope_replaces_one_landing_of_a_day(store: TableStore) -> None:
    schema = arrow_schema(BRONZE_DAY_BARS)

    def write(landing: int, rows: int) -> None:
        values = {
            "source": MASSIVE,
            "dataset": STOCKS,
            "file_date": MONDAY,
            "landing_id": landing,
            "ticker": "NA",
            "window_start": 0,
            "transactions": 1,
        }
        records = [
            {f.name: values.get(f.name, 1) for f in schema} | {"row_number": n} for n in range(rows)
        ]
        work = Scope(MASSIVE, STOCKS, MONDAY, TUESDAY, landing)
        files = store.write(
            BRONZE_DAY_BARS, work, "d", pa.Table.from_pylist(records, schema=schema).to_reader()
        )
        store.replace(BRONZE_DAY_BARS, [Replacement(work, files, "unit")], run="run")

    write(-5, 3)
    write(7, 4)
    write(-5, 2)

    assert store.plan(ScanRequest(BRONZE_DAY_BARS)).rows == 6
    assert store.plan(ScanRequest(BRONZE_DAY_BARS, landing_ids={-5})).rows == 2
    assert store.plan(ScanRequest(BRONZE_DAY_BARS, landing_ids=set())).rows == 0


def test_one_day_is_taken_out_of_a_file_of_many(store: TableStore) -> None:
    week = [MONDAY + n * ONE_DAY for n in range(5)]
    rows = [(MASSIVE, STOCKS, day, s, day.day) for day in week for s in ("AAPL", "MSFT")]
    whole = stage_rows(store, scope(MONDAY, 5), rows, table=DAILY_BARS)
    store.replace(DAILY_BARS, [whole], run="run")
    assert len(store.plan(ScanRequest(DAILY_BARS)).files) == 1

    load(store, TUESDAY, {"AAPL": 99}, table=DAILY_BARS)

    kept = [row for row in rows if row[2] != TUESDAY]
    expected = rows_of(TUESDAY, {"AAPL": 99})
    expected.update(kept)
    assert planned_rows(store, DAILY_BARS) == expected
    assert len(store.plan(ScanRequest(DAILY_BARS)).files) == 2


def test_a_month_is_kept_in_at_most_two_manifests(store: TableStore) -> None:
    for n in range(9):
        load(store, MONDAY + n * ONE_DAY, {"AAPL": n})
        load(store, date(2025, 8, 1) + n * ONE_DAY, {"AAPL": n})

    snapshot = store._reader.state(MINUTE_BARS).snapshot()
    assert snapshot is not None
    assert len(store._reader.manifests(snapshot)) <= 4
    assert store.plan(ScanRequest(MINUTE_BARS)).rows == 18


def test_replacing_by_nothing_empties_the_scope(loaded: TableStore) -> None:
    gone = Replacement(scope(TUESDAY), (), "unit")
    assert loaded.replace(MINUTE_BARS, [gone], run="run") is not None
    assert loaded.plan(ScanRequest(MINUTE_BARS, start=TUESDAY, end=date(2025, 7, 1))).files == ()
    assert loaded.replace(MINUTE_BARS, [gone], run="run") is None
