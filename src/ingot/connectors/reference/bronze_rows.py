"""Rows of reference data written as one Parquet file of their bronze table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ingot.connectors.base import MOST_REFUSED, Parsed
from ingot.connectors.reference.rows import Bad, values
from ingot.errors import CorruptFileError, QuarantineLimitError
from ingot.failures import translated
from ingot.model.unit import RefusedRow
from ingot.tables.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ingot.connectors.reference.rows import Good
    from ingot.model.landing import Landing
    from ingot.tables.contract import Table

MOST_REFUSED_ROWS: Final = 1_000
"""How many rows a refused file's error carries."""
_BATCH_ROWS: Final = 16_384
_PERCENT: Final = 100


def write_rows(
    landing: Landing, table: Table, rows: Iterable[Good | Bad], to: Path, *, limit_pct: float
) -> Parsed:
    """Write the good rows to `to` with their lineage, in order; no file where there is none.

    Raises:
        QuarantineLimitError: More than `limit_pct` percent of the rows were refused.
        CorruptFileError: More than 500,000 were, whatever the limit.
        StorageFullError: The disk is full.
    """
    schema = arrow_schema(table)
    tally = _Tally(landing)
    try:
        with (
            translated(to, "write"),
            pq.ParquetWriter(to, schema, compression="zstd", write_page_checksum=True) as out,
        ):
            for batch in _batches(landing, rows, tally):
                out.write_table(pa.Table.from_pylist(batch, schema=schema))
        tally.check(limit_pct)
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    if not tally.rows:
        to.unlink(missing_ok=True)
    return Parsed(
        path=to if tally.rows else None,
        rows=tally.rows,
        symbols=len(tally.symbols),
        in_order=False,
        refused=tuple(tally.refused),
    )


def _batches(
    landing: Landing, rows: Iterable[Good | Bad], tally: _Tally
) -> Iterable[list[dict[str, Any]]]:
    lineage = {
        "source": landing.source,
        "dataset": landing.dataset,
        "file_date": landing.file_date,
        "landing_id": landing.landing_id,
    }
    batch: list[dict[str, Any]] = []
    for item in rows:
        if isinstance(item, Bad):
            tally.refuse(item)
            continue
        tally.rows += 1
        tally.symbols.add(item.row.symbol)
        batch.append({**lineage, "row_number": item.number or tally.rows, **values(item.row)})
        if len(batch) == _BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


@dataclass
class _Tally:
    """The rows of a file so far."""

    landing: Landing
    rows: int = 0
    symbols: set[str] = field(default_factory=set)
    refused: list[RefusedRow] = field(default_factory=list)

    def refuse(self, bad: Bad) -> None:
        if len(self.refused) == MOST_REFUSED:
            raise CorruptFileError(
                f"{self.landing.key} holds more than {MOST_REFUSED:,} lines that are not rows. "
                "Nothing of it was loaded; look at its bytes in landing."
            )
        self.refused.append(
            RefusedRow(
                source=self.landing.source,
                dataset=self.landing.dataset,
                file_date=self.landing.file_date,
                landing_id=self.landing.landing_id,
                row_number=bad.number,
                rule=bad.rule,
                raw=bad.raw,
                symbol=bad.symbol,
            )
        )

    def check(self, limit_pct: float) -> None:
        """Refuse a file with too many bad rows; one without rows is legal."""
        rows = self.rows + len(self.refused)
        if len(self.refused) * _PERCENT > limit_pct * rows:
            raise QuarantineLimitError(
                self.landing.key,
                refused=len(self.refused),
                rows=rows,
                limit_pct=limit_pct,
                refused_rows=tuple(self.refused[:MOST_REFUSED_ROWS]),
            )
