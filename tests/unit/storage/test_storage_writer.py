from __future__ import annotations

import pickle
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingot.errors import ContractBrokenError, DamagedFileError
from ingot.model.unit import Scope
from ingot.storage.iceberg.table_store import Replacement, TableStore
from ingot.storage.iceberg.write.parquet_writer import OrderCheck
from ingot.tables.arrow import arrow_schema, narrow_schema
from ingot.tables.ops import RUNS
from tests.support.storage_bars import (
    DAILY_BARS,
    MASSIVE,
    MINUTE_BARS,
    MONDAY,
    ONE_DAY,
    STOCKS,
    TUESDAY,
    bars,
    planned_rows,
    rows_of,
    scope,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.storage.iceberg.write.staged_file import StagedFile
    from ingot.tables.contract import Table

DIGEST = "0123456789abcdef"
AAPL = (MASSIVE, STOCKS, MONDAY, "AAPL", 1)
MSFT = (MASSIVE, STOCKS, MONDAY, "MSFT", 2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TableStore]:
    with TableStore.create(tmp_path / "lake") as found:
        yield found


def write(
    store: TableStore, rows: pa.Table, work: Scope | None = None, table: Table = MINUTE_BARS
) -> tuple[StagedFile, ...]:
    return store.write(table, work or scope(MONDAY), DIGEST, rows.to_reader())


def adopt(store: TableStore, rows: pa.Table, **options: Any) -> StagedFile:
    path = store.staging_path(MINUTE_BARS, scope(MONDAY), DIGEST)
    pq.write_table(rows, path, store_decimal_as_integer=True, **options)
    return store.adopt(MINUTE_BARS, scope(MONDAY), path)


def test_no_rows_make_no_file(store: TableStore) -> None:
    assert write(store, bars(MINUTE_BARS, [])) == ()


def test_narrow_rows_make_the_same_file(store: TableStore) -> None:
    wide = bars(MINUTE_BARS, [AAPL, MSFT])
    (one,) = write(store, wide)
    (other,) = write(store, wide.cast(narrow_schema(MINUTE_BARS)))

    assert pq.read_table(other.path).equals(pq.read_table(one.path), check_metadata=True)
    assert pq.read_schema(other.path).equals(arrow_schema(MINUTE_BARS), check_metadata=True)
    assert (other.bounds, other.lower, other.upper) == (one.bounds, one.lower, one.upper)
    assert other.in_order


def test_a_file_says_what_is_in_it(store: TableStore) -> None:
    (file,) = write(store, bars(MINUTE_BARS, [AAPL, MSFT]))

    assert (file.rows, file.first, file.last) == (2, MONDAY, MONDAY)
    assert file.bounds.symbol == ("AAPL", "MSFT")
    assert file.bounds.dataset == (STOCKS, STOCKS)
    assert file.size_bytes == Path(file.path).stat().st_size
    assert file.in_order
    assert pickle.loads(pickle.dumps(file)) == file  # noqa: S301 - our own bytes


def test_a_file_has_the_contract_s_schema_field_ids_and_not_null(store: TableStore) -> None:
    (file,) = write(store, bars(MINUTE_BARS, [AAPL]))

    assert pq.read_schema(file.path).equals(arrow_schema(MINUTE_BARS), check_metadata=True)


def test_rows_of_several_dates_become_a_file_each(store: TableStore) -> None:
    tuesday = (MASSIVE, STOCKS, TUESDAY, "AAPL", 3)
    files = write(store, bars(MINUTE_BARS, [AAPL, MSFT, tuesday]), scope(MONDAY, 2))

    assert [(file.first, file.rows) for file in files] == [(MONDAY, 2), (TUESDAY, 1)]


def test_rows_of_a_year_share_a_file(store: TableStore) -> None:
    rows = [(MASSIVE, STOCKS, date(2024 + n // 2, 12, 1 + n), "AAPL", n) for n in range(4)]
    work = scope(date(2024, 1, 1), 1000)

    files = write(store, bars(DAILY_BARS, rows), work, DAILY_BARS)

    assert [(file.partition, file.rows) for file in files] == [(54, 2), (55, 2)]


def test_rows_of_instants_share_a_file_per_month(store: TableStore) -> None:
    instants = [datetime(2025, 6, 30, 23, 59, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)]
    values = {"table_name": "t", "unit": "u", "source": "s", "dataset": "d", "outcome": "done"}
    counts = dict.fromkeys(("rows_in", "rows_out"), 1) | {"rows_refused": 0, "duplicates": 0}
    rows = [
        {"run": "r", **values, "date": MONDAY, "started": at, "ended": at, **counts}
        | {"code_version": "1"}
        for at in instants
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(RUNS))

    files = write(store, table, Scope("", "", MONDAY, date(2025, 8, 1)), RUNS)

    assert [(file.first, file.partition) for file in files] == [
        (date(2025, 6, 30), 665),
        (date(2025, 7, 1), 666),
    ]


def test_row_groups_have_65536_rows_and_are_never_empty(store: TableStore) -> None:
    symbols = [f"S{n:06d}" for n in range(3_000)]
    rows = bars(MINUTE_BARS, [(MASSIVE, STOCKS, MONDAY, s, 1) for s in symbols])
    many = pa.concat_tables([rows.slice(n, 1) for n in range(10)] * 1 + [rows] * 22)

    (file,) = write(store, many)

    footer = pq.read_metadata(file.path)
    sizes = [footer.row_group(n).num_rows for n in range(footer.num_row_groups)]
    assert sizes == [65_536, 66_010 - 65_536]
    assert not file.in_order


def test_a_day_file_of_polars_can_be_adopted(store: TableStore) -> None:
    frame = pl.from_arrow(bars(MINUTE_BARS, [AAPL, MSFT]))
    assert isinstance(frame, pl.DataFrame)
    path = store.staging_path(MINUTE_BARS, scope(MONDAY), DIGEST)
    large = [
        field.with_type(pa.large_string()) if field.type == pa.string() else field
        for field in arrow_schema(MINUTE_BARS)
    ]
    frame.lazy().sink_parquet(path, arrow_schema=pa.schema(large))

    file = store.adopt(MINUTE_BARS, scope(MONDAY), path)
    store.replace(MINUTE_BARS, [Replacement(scope(MONDAY), (file,), "unit")], run="run")

    assert planned_rows(store) == rows_of(MONDAY, {"AAPL": 1, "MSFT": 2})


def test_staging_paths_are_never_given_twice(store: TableStore) -> None:
    paths = {store.staging_path(MINUTE_BARS, scope(MONDAY), DIGEST) for _ in range(20)}

    assert len(paths) == 20
    assert all(path.parent.is_dir() for path in paths)


def test_rows_outside_the_scope_are_refused(store: TableStore) -> None:
    with pytest.raises(ContractBrokenError, match="leaves its scope"):
        write(store, bars(MINUTE_BARS, [AAPL]), scope(TUESDAY))
    with pytest.raises(ContractBrokenError, match="leaves its scope"):
        write(store, bars(MINUTE_BARS, [AAPL]), scope(MONDAY, dataset="us_options_opra"))

    assert not list(store._root.rglob("*.parquet"))


def test_other_columns_or_types_are_refused(store: TableStore) -> None:
    rows = bars(MINUTE_BARS, [AAPL])
    with pytest.raises(ContractBrokenError, match="have 20 columns of 21"):
        write(store, rows.drop_columns(["symbol"]))
    doubles = rows.set_column(7, "open", rows["open"].cast(pa.float64()))
    with pytest.raises(ContractBrokenError, match=r"the contract wants open decimal128\(18, 6\)"):
        write(store, doubles)


@pytest.mark.parametrize("layout", [pa.large_string(), pa.string_view()])
def test_text_may_come_in_any_layout_of_memory(store: TableStore, layout: pa.DataType) -> None:
    rows = bars(MINUTE_BARS, [AAPL])
    (file,) = write(store, rows.set_column(2, "symbol", rows["symbol"].cast(layout)))

    assert pq.read_schema(file.path).field("symbol").type == pa.string()


def test_nulls_in_a_column_that_may_not_be_null_are_refused(store: TableStore) -> None:
    rows = bars(MINUTE_BARS, [AAPL])
    nulls = pa.nulls(1, pa.decimal128(18, 6))
    with pytest.raises(ContractBrokenError, match="have 1 nulls in open, which may not be null"):
        write(store, rows.set_column(7, "open", nulls))


def test_a_file_without_field_ids_is_refused(store: TableStore) -> None:
    rows = bars(MINUTE_BARS, [AAPL])
    bare = pa.schema([pa.field(f.name, f.type, f.nullable) for f in rows.schema])
    with pytest.raises(ContractBrokenError, match=r"'source', 'string', False, 'none'"):
        adopt(store, rows.cast(bare))


def test_a_file_whose_columns_may_be_null_is_refused(store: TableStore) -> None:
    rows = bars(MINUTE_BARS, [AAPL])
    loose = pa.schema([field.with_nullable(nullable=True) for field in rows.schema])
    with pytest.raises(ContractBrokenError, match=r"'source', 'string', True, '1'"):
        adopt(store, rows.cast(loose))


def test_a_file_without_a_row_is_refused(store: TableStore) -> None:
    with pytest.raises(ContractBrokenError, match="has row groups of"):
        adopt(store, bars(MINUTE_BARS, []))


def test_a_file_with_an_empty_row_group_is_refused(store: TableStore) -> None:
    path = store.staging_path(MINUTE_BARS, scope(MONDAY), DIGEST)
    rows = bars(MINUTE_BARS, [AAPL])
    with pq.ParquetWriter(path, rows.schema, store_decimal_as_integer=True) as writer:
        writer.write_table(rows)
        writer.write_table(rows.slice(0, 0))

    if pq.read_metadata(path).num_row_groups == 1:
        pytest.skip("this PyArrow leaves empty row groups out")
    with pytest.raises(ContractBrokenError, match=r"has row groups of \[1, 0\] rows"):
        store.adopt(MINUTE_BARS, scope(MONDAY), path)


def test_a_file_without_statistics_is_refused(store: TableStore) -> None:
    with pytest.raises(ContractBrokenError, match="leaves its scope"):
        adopt(store, bars(MINUTE_BARS, [AAPL]), write_statistics=False)


def test_a_torn_file_is_refused(store: TableStore) -> None:
    path = store.staging_path(MINUTE_BARS, scope(MONDAY), DIGEST)
    pq.write_table(bars(MINUTE_BARS, [AAPL]), path)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(DamagedFileError, match="cannot be read as a Parquet file"):
        store.adopt(MINUTE_BARS, scope(MONDAY), path)


def test_a_file_cannot_be_committed_to_another_scope_or_table(store: TableStore) -> None:
    files = write(store, bars(MINUTE_BARS, [AAPL]))
    with pytest.raises(ContractBrokenError, match=r"was made for silver\.minute_bars"):
        store.replace(MINUTE_BARS, [Replacement(scope(TUESDAY), files, "unit")], run="run")
    with pytest.raises(ContractBrokenError, match=r"cannot be committed to gold\.daily_bars"):
        store.replace(DAILY_BARS, [Replacement(scope(MONDAY), files, "unit")], run="run")


def test_scopes_of_one_commit_may_not_overlap(store: TableStore) -> None:
    both = [Replacement(scope(MONDAY), (), "one"), Replacement(scope(MONDAY, 2), (), "two")]
    with pytest.raises(ContractBrokenError, match="name scopes that overlap"):
        store.replace(MINUTE_BARS, both, run="run")


def test_a_reader_that_fails_leaves_no_file(store: TableStore) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from bars(MINUTE_BARS, [AAPL]).to_batches()
        raise RuntimeError("the engine failed")

    reader = pa.RecordBatchReader.from_batches(arrow_schema(MINUTE_BARS), batches())
    with pytest.raises(RuntimeError, match="the engine failed"):
        store.write(MINUTE_BARS, scope(MONDAY), DIGEST, reader)

    assert not list(store._root.rglob("*.parquet"))


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
@pytest.mark.parametrize(
    ("symbols", "days", "kept"),
    [
        ("AAB", (0, 1, 0), True),
        ("ABB", (0, 5, 5), True),
        ("AAB", (1, 0, 0), False),
        ("BA", (0, 0), False),
        ("A", (0,), True),
    ],
)
def test_order_is_watched_over_all_columns_and_across_batches(
    symbols: str, days: tuple[int, ...], kept: bool, batch_rows: int
) -> None:
    rows = [
        (MASSIVE, STOCKS, MONDAY + n * ONE_DAY, s, 1) for s, n in zip(symbols, days, strict=True)
    ]
    table = pa.concat_tables([bars(DAILY_BARS, [row]) for row in rows]).combine_chunks()
    check = OrderCheck(DAILY_BARS)

    for batch in table.to_batches(max_chunksize=batch_rows):
        check.see(batch)

    assert check.kept is kept
