"""Merges many day files of one partition into few files, each of a range of symbols.

One symbol over a month is then in one file and few row groups. The inputs are sorted, so they
are merged as streams: a batch of each is in memory, about 15 MB per input in total.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from ingot.errors import LookAtDataError
from ingot.storage.iceberg.layout.bounds import Overlap, overlap, scope_columns
from ingot.storage.iceberg.write.copy_on_write import read_batches
from ingot.storage.iceberg.write.parquet_writer import DataFile, OrderCheck
from ingot.tables.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.model.unit import Scope
    from ingot.storage.iceberg.read.manifests import FileEntry
    from ingot.storage.iceberg.read.scan_planner import LiveFile
    from ingot.storage.iceberg.read.workplace import Workplace
    from ingot.storage.iceberg.write.staged_file import StagedFile
    from ingot.tables.contract import Table

TARGET_BYTES: Final = 128 * 1024 * 1024
_BATCH_ROWS: Final = 8192


@dataclass
class _Input:
    """One sorted file, read batch by batch, with the rows read and not yet written."""

    table: Table
    path: str
    order: OrderCheck
    batches: Iterator[pa.RecordBatch]
    rows: pa.Table
    ended: bool = False

    @classmethod
    def open(cls, place: Workplace, entry: FileEntry) -> _Input:
        batches = read_batches(place, entry.location, batch_rows=_BATCH_ROWS)
        none = pa.Table.from_batches([], schema=arrow_schema(place.table))
        found = cls(place.table, entry.path, OrderCheck(place.table), batches, none)
        found.read()
        return found

    def read(self) -> None:
        """Read one more batch.

        Raises:
            LookAtDataError: The file is not in the table's sort order.
        """
        batch = next(self.batches, None)
        if batch is None:
            self.ended = True
            return
        self.order.see(batch)
        if not self.order.kept:
            raise LookAtDataError(
                f"{self.path} does not have the sort order of {self.table.name}. "
                "Build its day again."
            )
        self.rows = pa.concat_tables([self.rows, pa.Table.from_batches([batch])])

    @property
    def last(self) -> str:
        """The greatest symbol read so far."""
        column = self.rows.column(self.table.sort[0])
        return str(column[len(column) - 1].as_py())

    def take_through(self, symbol: str) -> pa.Table:
        """Return the rows read with symbols up to `symbol`, inside, and forget them."""
        column = self.rows.column(self.table.sort[0])
        count = pc.sum(pc.less_equal(column, pa.scalar(symbol)).cast(pa.int64())).as_py() or 0
        taken, self.rows = self.rows.slice(0, count), self.rows.slice(count)
        return taken


@dataclass
class _Outputs:
    """The files being written, one after the other."""

    place: Workplace
    rows_per_file: int
    done: list[StagedFile] = field(default_factory=list)
    file: DataFile | None = None
    rows: int = 0

    def write(self, rows: pa.Table) -> None:
        """Write rows that follow those before; a file ends only between two calls."""
        self.file = self.file or DataFile(self.place, "merged")
        for batch in rows.combine_chunks().to_batches():
            self.file.write(batch)
        self.rows += rows.num_rows
        if self.rows >= self.rows_per_file:
            self.end_file()

    def end_file(self) -> None:
        """Finish the present file."""
        if self.file is not None:
            self.done.append(self.file.finish(None))
        self.file, self.rows = None, 0

    def discard(self) -> None:
        """Remove all that was written."""
        if self.file is not None:
            self.file.discard()
        for staged in self.done:
            self.place.objects.delete(self.place.files.name(staged.location))


def compacted(
    place: Workplace,
    scope: Scope,
    files: Sequence[LiveFile],
    *,
    target_bytes: int = TARGET_BYTES,
) -> tuple[tuple[str, ...], tuple[StagedFile, ...]]:
    """Write the merged files of a scope.

    Args:
        place: The table.
        scope: One source and dataset, inside one partition.
        files: Live files of the table; those not wholly inside the scope are left alone.
        target_bytes: About the size of each new file.

    Returns:
        The locations of the files merged, and the new files; both empty if there is nothing to do.

    Raises:
        LookAtDataError: An input is not in the table's sort order.
    """
    columns = scope_columns(place.table)
    inside = [f.entry for f in files if overlap(f.entry.bounds, scope, columns) is Overlap.ALL]
    if len(inside) < 2 or _are_ranges([e.bounds.symbol for e in inside]):  # noqa: PLR2004
        return (), ()
    size, rows = sum(e.size_bytes for e in inside), sum(e.rows for e in inside)
    rows_per_file = max(1, target_bytes * rows // max(1, size))
    outputs = _Outputs(place, rows_per_file)
    try:
        _merge([_Input.open(place, entry) for entry in inside], outputs)
    except BaseException:
        outputs.discard()
        raise
    return tuple(e.location for e in inside), tuple(outputs.done)


def _are_ranges(symbols: Sequence[tuple[str, str] | None]) -> bool:
    """Return True if no two files can have a symbol in common."""
    known = sorted(pair for pair in symbols if pair is not None)
    apart = all(one[1] < other[0] for one, other in pairwise(known))
    return len(known) == len(symbols) and apart


def _merge(inputs: list[_Input], outputs: _Outputs) -> None:
    """Write all rows of the inputs, symbol by symbol, each symbol in one piece."""
    table = outputs.place.table
    keys: list[tuple[str, Literal["ascending", "descending"]]]
    keys = [(name, "ascending") for name in table.sort]
    while inputs := [i for i in inputs if i.rows.num_rows or not i.ended]:
        for source in inputs:
            while not source.rows.num_rows and not source.ended:
                source.read()
        through = _through(inputs)
        taken = [source.take_through(through) for source in inputs if source.rows.num_rows]
        rows = pa.concat_tables(taken) if taken else None
        if rows is not None and rows.num_rows:
            outputs.write(rows.sort_by(keys))
    outputs.end_file()


def _through(inputs: Sequence[_Input]) -> str:
    """Return the greatest symbol whose rows have all been read, reading on where need be."""
    reading = [source for source in inputs if not source.ended]
    if not reading:
        return max((s.last for s in inputs if s.rows.num_rows), default="")
    through = min(source.last for source in reading)
    for source in reading:
        while not source.ended and source.last <= through:
            source.read()
    return through
