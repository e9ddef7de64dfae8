"""Views as SQL of DuckDB: the one place that says how data files are read by field id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.tables.relation import ArrowRelation, FileRelation
from ingot.tables.view import BARS, SPANS, literal, name

if TYPE_CHECKING:
    from ingot.tables.view import View


def select(view: View, *, arrow: str | None = None, factors: str | None = None) -> str:
    """Return the SELECT whose rows are the view's.

    Args:
        view: What is shown.
        arrow: Name under which the rows are registered, for a view over rows in memory.
        factors: Name under which the view's factors are registered, if it has some.
    """
    where = view.where
    rows = from_files(view.relation) if isinstance(view.relation, FileRelation) else arrow
    kept = f" WHERE {where}" if where else ""
    if factors is None:
        return f"SELECT {view.select_list} FROM {rows}{kept}"
    return (
        f"SELECT {view.select_list} FROM (SELECT * FROM {rows}{kept}) AS {BARS} "
        f"LEFT JOIN {factors} AS {SPANS} ON {BARS}.symbol = {SPANS}.symbol "
        f"AND {BARS}.trade_date >= {SPANS}.start AND {BARS}.trade_date < {SPANS}.until"
    )


def in_memory(view: View) -> dict[str, ArrowRelation]:
    """Return what a view needs registered beside its files, by argument of `select`."""
    found = {"arrow": view.relation, "factors": view.factors}
    return {k: v for k, v in found.items() if isinstance(v, ArrowRelation)}


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
