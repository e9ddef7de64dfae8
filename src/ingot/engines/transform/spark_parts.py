"""Parts of a query that Spark computes once.

Spark writes each CTE out wherever it is read. So the plan of a query whose CTEs read one another
grows with the product of their readers; analyzing it then takes minutes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Container

MOST_RELATIONS: Final = 8
"""A CTE that is read more than once is a part if it, written out, reads more relations."""


@dataclass(frozen=True)
class Parts:
    """Queries in Spark SQL: each part by its name, in order, then the query that reads them."""

    shared: tuple[tuple[str, str], ...]
    query: str


def parts_of(sql: str, *, inputs: Container[str]) -> Parts:
    """Return the parts of a query in Spark SQL that has all its CTEs at the top.

    A CTE with the name of an input is never a part: its view would replace the input.

    >>> parts_of("WITH a AS (SELECT 1 AS n) SELECT n FROM a", inputs=()).shared
    ()
    """
    tree = sqlglot.parse_one(sql, read="spark")
    if not isinstance(tree, exp.Query):
        return Parts((), sql)
    readers = Counter(table.name for table in tree.find_all(exp.Table))
    sizes: dict[str, int] = {}
    shared: list[tuple[str, str]] = []
    inlined: list[exp.Expr] = []
    for cte in tree.ctes:
        size = sum(sizes.get(table.name, 1) for table in cte.this.find_all(exp.Table))
        if readers[cte.alias] > 1 and size > MOST_RELATIONS and cte.alias not in inputs:
            shared.append((cte.alias, _with(inlined, cte.this)))
            sizes[cte.alias] = 1
        else:
            inlined.append(cte)
            sizes[cte.alias] = size
    query = tree.copy()
    query.set("with_", None)
    return Parts(tuple(shared), _with(inlined, query))


def _with(ctes: list[exp.Expr], query: exp.Expr) -> str:
    text = query.sql(dialect="spark")
    listed = ", ".join(cte.sql(dialect="spark") for cte in ctes)
    return f"WITH {listed} {text}" if listed else text
