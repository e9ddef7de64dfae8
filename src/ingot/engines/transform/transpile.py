"""DuckDB's dialect to Spark's."""

from __future__ import annotations

from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from ingot.errors import QueryError

_HUGE: Final = frozenset({exp.DataType.Type.INT128, exp.DataType.Type.BIGDECIMAL})


def to_spark(sql: str) -> str:
    """Return a text of the portable subset in Spark SQL.

    HUGEINT becomes DECIMAL(38, 0), which holds what our texts put there; a VALUES list, `//`,
    instants and the order of nulls are translated by sqlglot.

    Raises:
        QueryError: The text is not one statement of DuckDB's dialect.
    """
    tree = _parse(sql)
    for kind in list(tree.find_all(exp.DataType)):
        if kind.this in _HUGE:
            kind.replace(exp.DataType.build("DECIMAL(38, 0)"))
    return tree.sql(dialect="spark")


def predicate_to_spark(sql: str) -> str:
    """Return a predicate of DuckDB's dialect in Spark SQL.

    >>> predicate_to_spark("day = DATE '2025-06-02' AND n // 2 = 1")
    "day = CAST('2025-06-02' AS DATE) AND n DIV 2 = 1"

    Raises:
        QueryError: The text is not a predicate of DuckDB's dialect.
    """
    where = _parse(f"SELECT 1 WHERE {sql}").find(exp.Where)
    if where is None:
        raise QueryError(f"The predicate was {sql!r}: write an expression that is true or false.")
    return str(where.this.sql(dialect="spark"))


def is_ordered(sql: str) -> bool:
    """Say whether a query says in which order its rows come.

    A text that only DuckDB can read counts as ordered: its order is then the engine's.

    >>> is_ordered("SELECT 1 AS a ORDER BY a"), is_ordered("SELECT * FROM (SELECT 1 ORDER BY 1)")
    (True, False)
    """
    try:
        tree = _parse(sql)
    except QueryError:
        return True
    return tree.unnest().args.get("order") is not None


def _parse(sql: str) -> exp.Expr:
    try:
        trees = sqlglot.parse(sql, read="duckdb")
    except SqlglotError as exc:
        raise QueryError(f"The text is not SQL of DuckDB's dialect: {exc}") from exc
    if len(trees) != 1 or trees[0] is None:
        raise QueryError(f"One statement was expected, there were {len(trees)}.")
    return trees[0]
