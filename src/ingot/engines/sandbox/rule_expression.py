"""A rule: one condition over the columns of a row, parsed alone before it becomes part of a query.

DuckDB's own parser reads it as the only item of a SELECT. Whatever else a SELECT may have, and
every part of an expression that reads more than the row, is refused; so are comments, which could
hide what follows the rule in the query.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import duckdb

from ingot.engines.sandbox.function_allowlist import ROW_FUNCTIONS
from ingot.errors import QueryError
from ingot.tables.view import name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    Node = dict[str, Any]

MAX_RULE: Final = 2_000
"""Longest rule, in characters: it is parsed in this process."""
_ALONE: Final = {"type", "cte_map", "select_list", "from_table", "aggregate_handling"}
_PARTS: Final = {
    *("BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT"),
    *("FUNCTION", "OPERATOR", "TYPE"),
}
_WORDS: Final = {"SUBQUERY": "a subquery", "WINDOW": "a window", "STAR": "a star"}


def require_rule(text: str, columns: Collection[str]) -> None:
    """Refuse a text that is not one condition over columns.

    It is parsed and not evaluated, which is for the sandbox alone.

    Raises:
        QueryError: It is not; the message says why, and what a rule may hold.
    """
    if fault := _fault(text, columns):
        raise bad_rule(text, fault, columns)


def bad_rule(text: str, fault: str, columns: Iterable[str]) -> QueryError:
    """Return the error of a rule that is not a condition over columns."""
    return QueryError(
        f"The rule {text[:200]!r} {fault}. Write one condition over {', '.join(columns)}, such "
        "as close >= 5 and symbol like 'A%': no subquery, comment or other clause, and no "
        "function of several rows."
    )


def probe(text: str, columns: Mapping[str, str]) -> str:
    """Return a query whose one value has the type of a validated rule.

    Args:
        text: The rule.
        columns: Names of the columns, and their types in DuckDB's dialect.
    """
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {name(c)}" for c, kind in columns.items())
    return f"SELECT (\n{text}\n) AS kept FROM (SELECT {nulls}) AS nothing"


def _fault(text: str, columns: Collection[str]) -> str | None:
    """Return what is wrong with a rule."""
    if len(text) > MAX_RULE:
        return f"has {len(text):,} characters (at most {MAX_RULE:,})"
    try:
        text.encode()
        with duckdb.connect(":memory:") as connection:
            return _parsed_fault(connection, text, columns)
    except UnicodeEncodeError:
        return "holds half a surrogate pair"
    except duckdb.Error:
        return "cannot be read as a condition"
    except RecursionError:
        return "is nested too deeply"


def _parsed_fault(
    connection: duckdb.DuckDBPyConnection, text: str, columns: Collection[str]
) -> str | None:
    if any(kind == duckdb.token_type.comment for _, kind in duckdb.tokenize(text)):
        return "holds a comment"
    (found,) = connection.execute(
        "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true)",
        [f"SELECT\n{text}\n"],
    ).fetchall()[0]
    tree: Node = json.loads(found)
    if tree["error"]:
        return "cannot be read as a condition"
    nodes = [statement["node"] for statement in tree["statements"]]
    selected = nodes[0].get("select_list", ())
    if (
        len(nodes) != 1
        or text.rstrip().endswith(";")
        or len(selected) != 1
        or not nodes[0].keys() <= _ALONE
        or nodes[0]["cte_map"]
        or nodes[0]["from_table"]["type"] != "EMPTY"
        or "alias" in selected[0]
    ):
        return "is more than one condition"
    return next(_faults(selected[0], columns), None)


def _faults(value: Any, columns: Collection[str]) -> Iterator[str]:  # noqa: ANN401  # a tree of JSON
    """Yield what an expression holds that a rule may not."""
    if isinstance(value, list):
        for element in value:
            yield from _faults(element, columns)
        return
    if not isinstance(value, dict):
        return
    kind = value.get("class")
    if kind is not None and kind not in _PARTS:
        yield f"holds {_WORDS.get(kind, kind.lower())}"
    elif kind == "COLUMN_REF" and ".".join(value["column_names"]).lower() not in columns:
        yield f"names {'.'.join(value['column_names'])}, which is not a column"
    elif kind == "FUNCTION":
        called = ".".join(value["qualified_name"]["path"]).lower()
        if called not in ROW_FUNCTIONS:
            yield f"calls {called}"
    for key, part in value.items():
        if key not in {"literal", "qualified_name", "column_names"}:
            yield from _faults(part, columns)
