"""Rows as a table for people: aligned text, and HTML for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from ingot.escaping import escaped
from ingot.query.values import column_texts, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_SHOWN: Final = 20
"""Rows of a longer answer that `brief` and `html` show."""
_GAP: Final = "…"


def printed(data: pa.Table) -> str:
    """Return every row as aligned text; numbers to the right, nothing where a value is null."""
    return _aligned(data, _cells(data))


def brief(data: pa.Table) -> str:
    """Return the first and last rows as aligned text, and how many there are."""
    if data.num_rows <= _SHOWN:
        body = _aligned(data, _cells(data))
    else:
        head = _cells(data.slice(0, _SHOWN // 2))
        tail = _cells(data.slice(data.num_rows - _SHOWN // 2))
        gap = [_GAP] * data.num_columns
        body = _aligned(data, [*head, gap, *tail])
    return f"{body}{_size(data)}"


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
