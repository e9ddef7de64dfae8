"""Rows as a table for people: aligned text, and HTML for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.escaping import escaped
from ingot.query.result.values import column_texts, is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN: Final = 20
"""Rows of a longer answer that `brief` and `html` show."""
_GAP: Final = "…"


def printed(data: pa.Table) -> str:
    """Return every row as aligned text; numbers to the right, nothing where a value is null."""
    return _aligned(data, _cells(data))


def brief(data: pa.Table) -> str:
    """Return the first and last rows as aligned text, and how many there are."""
    head, tail, count = _ends(data.to_batches(), data.schema, _SHOWN)
    return f"{_joined(head, tail, count)}{_size(data)}"


def preview(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int, width: int
) -> tuple[str, tuple[str, ...], int]:
    """Return the first and last rows as aligned text, the columns without room, and the count.

    Args:
        batches: All rows, of which only those to show are kept.
        schema: Of the rows.
        rows: The most rows to show.
        width: Characters of a line; a first column that is wider is kept.
    """
    head, tail, count = _ends(batches, schema, rows)
    kept = fitting(pa.concat_tables([head, tail]), width)
    shown, hidden = schema.names[:kept], schema.names[kept:]
    return _joined(head.select(shown), tail.select(shown), count), tuple(hidden), count


def _ends(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int
) -> tuple[pa.Table, pa.Table, int]:
    """Return the first rows, the last rows, and the number of all."""
    last = rows // 2
    head = tail = schema.empty_table()
    count = 0
    for batch in batches:
        count += batch.num_rows
        part = pa.Table.from_batches([batch])
        missing = rows - last - head.num_rows
        head = pa.concat_tables([head, part.slice(0, missing)])
        tail = pa.concat_tables([tail, part.slice(missing)])
        tail = tail.slice(max(tail.num_rows - last, 0))
    return head, tail, count


def _joined(head: pa.Table, tail: pa.Table, count: int) -> str:
    """Return both ends of an answer as one table, with a gap where rows are left out."""
    gap = [[_GAP] * head.num_columns] if head.num_rows + tail.num_rows < count else []
    return _aligned(head, [*_cells(head), *gap, *_cells(tail)])


def fitting(data: pa.Table, width: int) -> int:
    """Return how many leading columns, one at least, `printed` fits into `width` characters."""
    used = 0
    for position, (name, column) in enumerate(zip(data.column_names, data.columns, strict=True)):
        cells = (len(escaped(text or "")) for text in column_texts(column))
        used += max([len(escaped(name)), *cells]) + (2 if position else 0)
        if used > width:
            return max(position, 1)
    return int(data.num_columns)


def html(data: pa.Table) -> str:
    """Return the first rows as an HTML table, and how many there are."""
    names = "".join(f"<th>{escape(escaped(name))}</th>" for name in data.column_names)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in _cells(data.slice(0, _SHOWN))
    )
    return (
        f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table><p>{_size(data)}</p>"
    )


def _size(data: pa.Table) -> str:
    rows = "row" if data.num_rows == 1 else "rows"
    columns = "column" if data.num_columns == 1 else "columns"
    return f"{data.num_rows:,} {rows}, {data.num_columns} {columns}"


def _cells(data: pa.Table) -> list[list[str]]:
    columns = [[escaped(text or "") for text in column_texts(column)] for column in data.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _aligned(data: pa.Table, rows: Sequence[Sequence[str]]) -> str:
    names = [escaped(name) for name in data.column_names]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    right = [is_number(field.type) for field in data.schema]
    rule = ["-" * width for width in widths]
    lines = [names, rule, *rows]
    text = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*text, *([] if rows else ["(no rows)"])]) + "\n"
