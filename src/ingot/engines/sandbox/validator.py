"""Validates the text of a query: one SELECT over named tables, made of allowed parts only.

DuckDB's own parser turns the text into a tree; every node of the tree must be of a kind listed
here, so that grammar which DuckDB gains later is refused until somebody adds it. The text itself
is never rewritten.
"""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import duckdb

from ingot.engines.sandbox.function_allowlist import (
    COUNTED,
    FORMATTED,
    FUNCTIONS,
    SPECIAL_NAMES,
    TABLE_FUNCTIONS,
    TODAY,
)
from ingot.errors import QueryError
from ingot.tables.contract import Binding
from ingot.tables.registry import VIEWS, all_tables
from ingot.tables.view import HISTORY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from ingot.tables.contract import Table

    Node = dict[str, Any]

MAX_TEXT: Final = 100_000
"""Longest query, in characters."""
MAX_COUNT: Final = 10_000_000
"""Largest literal that a function which makes rows or elements takes."""
MAX_WIDTH: Final = 10_000
"""Largest literal that a function which makes text takes."""
_WITH_HISTORY: Final = (Binding.INTERVAL, Binding.LANDING)
_NODES: Final = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_TABLES: Final = {"EMPTY", "BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST"}
_MODIFIERS: Final = {
    "ORDER_MODIFIER",
    "LIMIT_MODIFIER",
    "LIMIT_PERCENT_MODIFIER",
    "DISTINCT_MODIFIER",
    "ORDER_DEFAULT",
    "ASCENDING",
    "DESCENDING",
}
_EXPRESSIONS: Final = {
    "BETWEEN",
    "CASE",
    "CAST",
    "COLLATE",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "LAMBDA",
    "LAMBDA_REF",
    "OPERATOR",
    "PARAMETER",
    "POSITIONAL_REFERENCE",
    "STAR",
    "SUBQUERY",
    "TYPE",
    "WINDOW",
}
_WORDS: Final = {
    "SHOW_REF": "SHOW (other than SHOW TABLES)",
    "PIVOT": "PIVOT and UNPIVOT",
    "DEFAULT": "DEFAULT",
    "INSERT_QUERY_NODE": "INSERT",
    "UPDATE_QUERY_NODE": "UPDATE",
    "DELETE_QUERY_NODE": "DELETE",
    "MERGE_QUERY_NODE": "MERGE",
}
_CLOCKS: Final = frozenset(
    {"now", "today", "get_current_date", "get_current_timestamp", "current_date", "sysdate"}
    | {"current_timestamp", "transaction_timestamp", "getdate", "localtimestamp"}
)
"""Functions of the clock, of this engine and of others."""
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_PLAIN_FORMAT: Final = re.compile(r"(?!.*[0-9]{3})(?!.*\*)(?!.*\{[^{}]*\{).*\Z", re.DOTALL)


def known_names() -> dict[str, Table]:
    """Return every name that a query may use, with the table whose rows it shows."""
    names = {table.name: table for table in (*all_tables(), *VIEWS)}
    histories = {t.name + HISTORY: t for t in all_tables() if t.binding in _WITH_HISTORY}
    return {**names, **histories}


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """Return "Did you mean ...?" with the name most like `name`, or nothing."""
    candidates = list(known)
    found = get_close_matches(name.lower(), candidates, n=1, cutoff=cutoff)
    if not found:
        last = name.lower().rpartition(".")[2]
        by_last = {c.rpartition(".")[2]: c for c in reversed(candidates)}
        found = [
            by_last[near] for near in get_close_matches(last, by_last, n=1, cutoff=max(cutoff, 0.6))
        ]
    return f" Did you mean {found[0]}?" if found else ""


def relation_names(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the names of every view, table and table function of this DuckDB, in lower case.

    They are read from the catalog of the installed version, so a new version needs no new list.
    """
    rows = connection.execute(
        "SELECT view_name FROM duckdb_views() UNION SELECT table_name FROM duckdb_tables() UNION "
        "SELECT function_name FROM duckdb_functions() WHERE function_type LIKE 'table%'"
    ).fetchall()
    return frozenset(str(name).lower() for (name,) in rows)


def validate(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    reserved: frozenset[str],
    own: Iterable[str] = (),
) -> frozenset[str]:
    """Return the names of the lake's tables that `sql` reads.

    Args:
        connection: Any DuckDB connection; only its parser is used.
        sql: The query as its author wrote it.
        reserved: What `relation_names` returns: no common table and no alias may have such a name.
        own: Names of the lake's own tables.

    Raises:
        QueryError: The text is not one SELECT made of allowed parts; the message says which part.
    """
    known = dict.fromkeys([*known_names(), *own])
    return _Validator(_parse(connection, sql), reserved, known).tables


def _parse(connection: duckdb.DuckDBPyConnection, sql: str) -> Node:
    if len(sql) > MAX_TEXT:
        raise QueryError(f"The query has {len(sql):,} characters. Write at most {MAX_TEXT:,}.")
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"The text holds {len(statements)} statements. Write one SELECT.")
        (text,) = connection.execute(
            "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true)", [sql]
        ).fetchall()[0]
        tree: Node = json.loads(text)
    except duckdb.Error as exc:
        raise QueryError(f"The query cannot be read. {exc}") from exc
    except RecursionError as exc:
        raise QueryError("The query is nested too deeply to be read.") from exc
    except UnicodeEncodeError as exc:
        raise QueryError("The query holds half a surrogate pair. Remove it.") from exc
    if tree["error"]:
        raise QueryError(_refused_statement(tree))
    (statement,) = tree["statements"]
    node: Node = statement["node"]
    return node


def _refused_statement(tree: Node) -> str:
    if tree.get("error_type") == "not implemented":
        return "The text is not a SELECT. Write one SELECT; a query cannot change anything."
    return f"The query cannot be read. {tree.get('error_message', '')}"


class _Validator:
    """Walks one tree; `tables` are the lake's tables named in it."""

    def __init__(self, root: Node, reserved: frozenset[str], known: Collection[str]) -> None:
        self._found: set[str] = set()
        self._reserved = reserved
        self._known = known
        try:
            self._visit(root, frozenset())
        except RecursionError as exc:
            raise QueryError("The query is nested too deeply to be read.") from exc

    @property
    def tables(self) -> frozenset[str]:
        return frozenset(self._found)

    def _visit(self, value: Any, names: frozenset[str]) -> None:  # noqa: ANN401  # a tree of JSON
        if isinstance(value, list):
            for element in value:
                self._visit(element, names)
        elif isinstance(value, dict):
            self._visit_node(value, names)

    def _visit_node(self, node: Node, names: frozenset[str]) -> None:
        if node.get("sample"):
            raise QueryError(
                "The query takes a sample, which differs each time. Use ORDER BY and LIMIT."
            )
        kind = node.get("type")
        if "class" in node:
            _check_expression(node)
        elif kind in _NODES:
            names = self._with(node, names)
        elif kind in _TABLES or _describes(node):
            self._table(node, names)
        elif kind is not None and kind not in _MODIFIERS:
            raise QueryError(f"{_WORDS.get(kind, kind)} cannot be used in a query.")
        for key, value in node.items():
            if key not in {"cte_map", "literal", "qualified_name"}:
                inner = names
                if kind == "RECURSIVE_CTE_NODE" and key == "right":
                    inner |= {self._defined(node["cte_name"])}
                self._visit(value, inner)

    def _with(self, node: Node, names: frozenset[str]) -> frozenset[str]:
        """Visit the common tables of a query; return the names that its body may use.

        Names resolve as in DuckDB: a common table sees those before it, and itself only in the
        right branch of a recursion. In its anchor the same name is a relation of the catalog.
        """
        for entry in node.get("cte_map", {}).get("map", ()):
            self._visit(entry["value"], names)
            names |= {self._defined(entry["key"])}
        return names

    def _defined(self, name: str) -> str:
        """Return the name of a common table, in lower case."""
        if not _IDENTIFIER.match(name):
            raise QueryError(f"The WITH name was {name!r}. Use letters, digits and underscores.")
        return self._free(name.lower())

    def _free(self, name: str) -> str:
        """Return a name in lower case that the engine itself gives to no relation."""
        if name in self._reserved:
            raise QueryError(
                f"{name} is a relation of the engine and cannot be a WITH name or an alias. "
                "Choose another name."
            )
        return name

    def _table(self, node: Node, names: frozenset[str]) -> None:
        self._free(str(node.get("alias", "")).lower())
        if node["type"] == "BASE_TABLE":
            self._base_table(node, names)
        elif node["type"] == "TABLE_FUNCTION":
            self._table_function(node)

    def _base_table(self, node: Node, names: frozenset[str]) -> None:
        path = [str(part) for part in node["qualified_name"]["path"]]
        if node.get("at_clause"):
            raise QueryError("AT (...) cannot be used in a query. Use known_at.")
        if len(path) == 1 and path[0].isascii() and path[0].lower() in names:
            return
        name = ".".join(path).lower()
        if len(path) != 2 or name not in self._known:  # noqa: PLR2004  # namespace and table
            raise QueryError(
                f"There is no table {'.'.join(path)}.{nearest(name, list(self._known))} "
                f"Tables are named by layer, such as silver.minute_bars."
            )
        self._found.add(name)

    def _table_function(self, node: Node) -> None:
        call = node["function"]
        name = _name_of(call)
        if name not in TABLE_FUNCTIONS:
            raise QueryError(
                f"The table function {name} cannot be used in a query, which reads the lake's "
                f"tables only.{nearest(name, list(self._known))}"
            )


def _describes(node: Node) -> bool:
    """Return True for DESCRIBE and SUMMARIZE of a query, which is screened like any other."""
    return (
        node.get("type") == "SHOW_REF"
        and node.get("show_type") in {"DESCRIBE", "SUMMARY"}
        and "query" in node
        and not node.get("table_name")
    )


def _check_expression(node: Node) -> None:
    kind = node["class"]
    if kind not in _EXPRESSIONS:
        raise QueryError(f"{_WORDS.get(kind, kind)} cannot be used in a query.")
    if check := _CHECKS.get(kind):
        check(node)


def _name_of(call: Node) -> str:
    path = call["qualified_name"]["path"]
    if len(path) != 1:
        raise QueryError(f"The function {'.'.join(path)} has a prefix. Write {path[-1]}(...).")
    return str(path[0]).lower()


def _check_function(node: Node) -> None:
    name = _name_of(node)
    if name not in FUNCTIONS:
        raise QueryError(
            f"The function {name} cannot be used in a query, which takes functions of their "
            f"arguments alone.{_instead(name)}"
        )
    arguments = [argument["expression"] for argument in node.get("arguments", ())]
    if name in COUNTED and any(argument.get("name") for argument in node.get("arguments", ())):
        raise QueryError(f"Write the arguments of {name} by position, not by name.")
    for position in COUNTED.get(name, ()):
        if position < len(arguments):
            _check_count(name, arguments[position])
    if name in FORMATTED:
        _check_format(name, arguments)


def _instead(name: str) -> str:
    """Return what to write instead of a function that is not allowed."""
    if name in _CLOCKS:
        return f" Write {TODAY}, the date of known_at, or a literal."
    return nearest(name, FUNCTIONS, cutoff=0.7)


def _check_count(name: str, argument: Node) -> None:
    limit = MAX_WIDTH if name in {"repeat", "lpad", "rpad"} else MAX_COUNT
    numbers = list(_numbers(argument))
    if not _is_constant(argument) or any(abs(number) > limit for number in numbers):
        raise QueryError(
            f"The bounds of {name} are not literals, or too large. Write literals of at most "
            f"{limit:,}."
        )


def _is_constant(argument: Node) -> bool:
    """Return True if an expression is a literal, a signed or a cast literal."""
    kind = argument.get("class")
    if kind == "CAST":
        return _is_constant(argument["child"])
    if kind == "FUNCTION":
        parts = [a["expression"] for a in argument.get("arguments", ())]
        return _name_of(argument) in _OF_LITERALS and all(map(_is_constant, parts))
    return kind == "CONSTANT"


_OF_LITERALS: Final = {"-", "+", "trunc"} | {
    f"to_{unit}s"
    for unit in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
}
"""What the parser makes of signs and of INTERVAL literals."""


def _numbers(argument: Node) -> Iterator[float]:
    if argument.get("class") == "CONSTANT":
        literal = argument.get("literal", {})
        try:
            yield float(literal.get("text", "0"))
        except ValueError:
            return
    for nested in (
        argument.get("child"),
        *(a["expression"] for a in argument.get("arguments", ())),
    ):
        if nested:
            yield from _numbers(nested)


def _check_format(name: str, arguments: list[Node]) -> None:
    literal = arguments[0].get("literal", {}) if arguments else {}
    if literal.get("kind") != "STRING" or not _PLAIN_FORMAT.match(literal["text"]):
        raise QueryError(
            f"The first argument of {name} is not a plain format. Write a literal with widths "
            "below 100."
        )


def _check_column(node: Node) -> None:
    names = node["column_names"]
    if len(names) == 1 and names[0].lower() in SPECIAL_NAMES:
        raise QueryError(
            f"{names[0]} depends on the session and its clock. Write {TODAY} (the date of "
            "known_at) or a literal, such as DATE '2025-06-02'; a column of that name needs its "
            "table's name before it."
        )


def _check_type(node: Node) -> None:
    if len(node["qualified_name"]["path"]) != 1:
        raise QueryError("The query names a type with a prefix. Write the name of the type alone.")


_CHECKS: Final[dict[str, Callable[[Node], None]]] = {
    "FUNCTION": _check_function,
    "WINDOW": _check_function,
    "COLUMN_REF": _check_column,
    "TYPE": _check_type,
}
