"""Every table of a lake, by name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from ingot.errors import QueryError
from ingot.tables import bronze, gold, ops, revisions, silver

if TYPE_CHECKING:
    from ingot.tables.contract import Table

ALL_TABLES: tuple[Table, ...] = (*bronze.TABLES, *silver.TABLES, *gold.TABLES, *ops.TABLES)
VIEWS: tuple[Table, ...] = revisions.VIEWS
"""Names that a question may use beside the tables: made of them when they are read."""
_BY_NAME = {table.name: table for table in (*ALL_TABLES, *VIEWS)}


def table(name: str) -> Table:
    """Return the contract of the table called `name`.

    Raises:
        QueryError: There is none; the message names the nearest.
    """
    if found := _BY_NAME.get(name):
        return found
    near = get_close_matches(name, _BY_NAME, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(_BY_NAME)}."
    raise QueryError(f"There is no table {name}. {hint}")
