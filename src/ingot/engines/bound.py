"""Views as SQL of DuckDB: the one place that says how data files are read by field id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.tables.relation import FileRelation
from ingot.tables.view import literal, name

if TYPE_CHECKING:
    from ingot.tables.view import View


def select(view: View, *, arrow: str | None = None) -> str:
    """Return the SELECT whose rows are the view's.

    Args:
        view: What is shown.
        arrow: Name under which the rows are registered, for a view over rows in memory.
    """
    where = view.where
    rows = from_files(view.relation) if isinstance(view.relation, FileRelation) else arrow
    return f"SELECT {view.select_list} FROM {rows}" + (f" WHERE {where}" if where else "")


def from_files(relation: FileRelation) -> str:
    """Return what stands in FROM for a relation over files; no file means no row."""
    if not relation.paths:
        nothing = (f"CAST(NULL AS {sql}) AS {name(n)}" for n, sql in relation.columns.values())
        return f"(SELECT {', '.join(nothing)} WHERE false)"
    paths = ", ".join(map(literal, relation.paths))
    fields = ", ".join(
        f"{field_id}: {{name: {literal(n)}, type: {literal(sql)}, default_value: NULL}}"
        for field_id, (n, sql) in relation.columns.items()
    )
    return f"read_parquet([{paths}], schema = MAP {{{fields}}}, hive_partitioning = false)"
