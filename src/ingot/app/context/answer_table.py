"""Facts about a lake as an answer: rows of named columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ingot.query.result.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ingot.app.context.lake_context import Parts


def listed(
    parts: Parts,
    columns: Sequence[tuple[str, pa.DataType]],
    rows: Iterable[Sequence[Any]],
    *,
    notices: Sequence[str] = (),
) -> Answer:
    """Return rows under named, typed columns, as of now."""
    data = as_table(pa.schema(columns), rows)
    return Answer(data=data, known_at=parts.clock.now(), notices=tuple(notices))


def as_table(schema: pa.Schema, rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Return rows as Arrow, without pandas.

    pa.array() loads pandas, which is most of the time that a short command takes.
    """
    import polars as pl

    made = pl.DataFrame(list(rows), schema=pl.Schema(schema), orient="row")
    return made.to_arrow().cast(schema)
