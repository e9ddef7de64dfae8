"""Takes rows out of a file that holds more than a scope: streamed, in bounded memory."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingot.errors import CorruptFileError
from ingot.failures import unread
from ingot.storage.iceberg.layout.bounds import scope_columns
from ingot.storage.iceberg.write.parquet_writer import DataFile, dates
from ingot.tables.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.model.unit import Scope
    from ingot.storage.iceberg.read.manifests import FileEntry
    from ingot.storage.iceberg.read.workplace import Workplace
    from ingot.storage.iceberg.write.staged_file import StagedFile
    from ingot.tables.contract import Table

_BATCH_ROWS: Final = 65_536


def rows_outside(place: Workplace, entry: FileEntry, scopes: Sequence[Scope]) -> StagedFile | None:
    """Return a new file with the rows of `entry` that lie in none of the scopes.

    Returns:
        The new file; None when no row is left.
    """
    day = entry.bounds.first or scopes[0].start
    file: DataFile | None = None
    try:
        for batch in read_batches(place, entry.location):
            kept = batch.filter(pc.invert(_inside(place.table, batch, scopes)))
            if kept.num_rows:
                file = file or DataFile(place, f"{day.isoformat()}-rest")
                file.write(kept)
        return None if file is None else file.finish(None)
    except BaseException:
        if file is not None:
            file.discard()
        raise


def read_batches(
    place: Workplace, location: str, *, batch_rows: int = _BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield a data file's rows in the contract's schema, in file order.

    Columns are found by field id, so a file written before a column was added gives nulls for it.

    Raises:
        DamagedFileError: It cannot be read to its end; the pages' checksums are verified.
        CorruptFileError: It has no field ids.
    """
    table, path = place.table, place.files.url(location)
    try:
        with (
            place.objects.open(place.files.name(location)) as stream,
            pq.ParquetFile(
                pa.PythonFile(stream, "r"), pre_buffer=False, page_checksum_verification=True
            ) as file,
        ):
            places = _places(table, path, file.schema_arrow)
            for batch in file.iter_batches(batch_rows):
                yield _under_contract(table, batch, places)
    except (pa.ArrowException, OSError) as exc:
        raise unread(exc, path, table.name) from exc


def _places(table: Table, path: str, found: pa.Schema) -> list[int | None]:
    """Return the position of each column of the contract in the file."""
    ids: dict[int, int] = {}
    for index, field in enumerate(found):
        raw = (field.metadata or {}).get(b"PARQUET:field_id")
        if raw is None:
            raise CorruptFileError(
                f"{path}, a data file of {table.name}, has no field id on {field.name}; another "
                "program wrote it. Rewrite it with an Iceberg engine."
            )
        ids[int(raw)] = index
    return [ids.get(position) for position in range(1, len(table.columns) + 1)]


def _under_contract(
    table: Table, batch: pa.RecordBatch, places: Sequence[int | None]
) -> pa.RecordBatch:
    schema = arrow_schema(table)
    columns = [
        pa.nulls(batch.num_rows, field.type)
        if place is None
        else batch.column(place).cast(field.type)
        for field, place in zip(schema, places, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _inside(table: Table, batch: pa.RecordBatch, scopes: Sequence[Scope]) -> Any:  # noqa: ANN401
    """Return for each row whether one of the scopes holds it."""
    return reduce(pc.or_, (_inside_one(table, batch, scope) for scope in scopes))


def _inside_one(table: Table, batch: pa.RecordBatch, scope: Scope) -> Any:  # noqa: ANN401
    columns = scope_columns(table)
    conditions = [pa.array([True] * batch.num_rows)]
    if columns.date:
        days = dates(table, batch, columns.date)
        conditions.append(pc.greater_equal(days, pa.scalar(scope.start, pa.date32())))
        conditions.append(pc.less(days, pa.scalar(scope.end, pa.date32())))
    if columns.source and scope.source:
        conditions.append(pc.equal(batch.column(columns.source), pa.scalar(scope.source)))
    if columns.dataset and scope.dataset:
        conditions.append(pc.equal(batch.column(columns.dataset), pa.scalar(scope.dataset)))
    if columns.landing and scope.landing_id is not None:
        conditions.append(pc.equal(batch.column(columns.landing), pa.scalar(scope.landing_id)))
    inside: Any = reduce(pc.and_, conditions)
    return pc.fill_null(inside, pa.scalar(False))  # noqa: FBT003 - a value, not a mode
