"""Rows that are too many to hold at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, eq=False)
class Stream:
    """Rows as Arrow batches; every iteration begins with the first row."""

    schema: pa.Schema
    read: Callable[[], Iterator[pa.RecordBatch]]
    """Begins to read the rows."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, without keeping them."""
        return self.read()

    def collected(self) -> pa.Table:
        """Return all rows in memory."""
        return pa.Table.from_batches(list(self), self.schema)

    def mapped(self, change: Callable[[pa.Table], pa.Table]) -> Stream:
        """Return the stream with each batch changed in the same way."""
        return Stream(
            change(self.schema.empty_table()).schema,
            lambda: (
                changed
                for batch in self
                for changed in change(pa.Table.from_batches([batch])).to_batches()
            ),
        )

    def head(self, rows: int) -> Stream:
        """Return the stream with its first rows only."""
        return Stream(self.schema, lambda: self._first(rows))

    def _first(self, rows: int) -> Iterator[pa.RecordBatch]:
        for batch in self:
            yield batch.slice(0, rows)
            rows -= batch.num_rows
            if rows <= 0:
                return
