"""Views as SQL of DuckDB: the one place that says how data files are read by field id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingot.tables.input import ArrowRelation, FileRelation, QueryRelation
from ingot.tables.view import BARS, SPANS, file_literal, literal, name

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
    rows = arrow
    if isinstance(view.relation, FileRelation):
        rows = from_files(view.relation)
    elif isinstance(view.relation, QueryRelation):
        rows = f"({from_views(view.relation)}) AS made"
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


def from_views(relation: QueryRelation) -> str:
    """Return the relation's text with each view that it names as a common table."""
    parts: list[str] = []
    names: dict[str, str] = {}
    for view in relation.inputs:
        names[view.name] = f"input_{len(names)}"
        parts.append(f"{names[view.name]} AS NOT MATERIALIZED ({select(view)})")
    any_name = re.compile("|".join(rf"\b{re.escape(n)}\b" for n in sorted(names, key=len)[::-1]))
    text = any_name.sub(lambda found: names[found[0]], relation.sql)
    rest = f", {text.removeprefix('WITH ')}" if text.startswith("WITH ") else f" {text}"
    return f"WITH {', '.join(parts)}{rest}"


def from_files(relation: FileRelation) -> str:
    """Return the FROM item of a relation over files; no file means no row."""
    if not relation.paths:
        nothing = (f"CAST(NULL AS {sql}) AS {name(n)}" for n, sql in relation.columns.values())
        return f"(SELECT {', '.join(nothing)} WHERE false)"
    paths = ", ".join(map(file_literal, relation.paths))
    fields = ", ".join(
        f"{field_id}: {{name: {literal(n)}, type: {literal(sql)}, default_value: NULL}}"
        for field_id, (n, sql) in relation.columns.items()
    )
    return f"read_parquet([{paths}], schema = MAP {{{fields}}}, hive_partitioning = false)"
