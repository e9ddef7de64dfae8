"""Statements that try to leave the sandbox, made of patterns and the installed DuckDB's catalog.

What DuckDB has (relations, functions, settings, pragmas) is read from its own catalog when the
tests run, so a new version is attacked with what it adds.
"""

from __future__ import annotations

from itertools import chain, cycle
from typing import TYPE_CHECKING, Final

from ingot.engines.sandbox.function_allowlist import FUNCTIONS, TABLE_FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_SHADOWS: Final = (
    "WITH RECURSIVE {n} AS (SELECT * FROM {n} UNION ALL SELECT * FROM {n}) SELECT * FROM {n}",
    "WITH RECURSIVE {n}(a) AS (SELECT 1 FROM {n} UNION SELECT a FROM {n}) SELECT a FROM {n}",
    "WITH RECURSIVE {n} AS MATERIALIZED (FROM {n} UNION ALL FROM {n}) FROM {n}",
    "WITH RECURSIVE a AS (SELECT 1 AS x), {n} AS (FROM {n} UNION ALL FROM {n}) FROM {n}, a",
    "WITH RECURSIVE a AS (SELECT (SELECT count(*) FROM {n}) UNION FROM a) FROM a",
    "WITH RECURSIVE {n}(a) USING KEY (a) AS (SELECT 1 FROM {n} UNION SELECT a FROM {n}) FROM {n}",
    "WITH {n} AS (SELECT * FROM {n}) SELECT * FROM {n}",
    "WITH a AS (WITH {n} AS (FROM {n}) FROM {n}) SELECT * FROM a",
    "SELECT * FROM (WITH {n} AS (SELECT 1) FROM {n}) AS a, {n}",
    "WITH RECURSIVE o AS (WITH RECURSIVE {n} AS (FROM {n} UNION FROM {n}) FROM {n}) FROM o",
    "SELECT * FROM silver.minute_bars AS {n}, {n}",
    "FROM (FROM {n}) AS {n}",
)
"""A relation of the catalog behind a name that the question defines."""

_PLACES: Final = (
    "SELECT * FROM {r}",
    "SELECT (SELECT count(*) FROM {r})",
    "SELECT 1 WHERE EXISTS (FROM {r})",
    "SELECT * FROM silver.minute_bars AS b, LATERAL (SELECT * FROM {r}) AS l",
    "SELECT * FROM silver.minute_bars POSITIONAL JOIN {r}",
    "SELECT * FROM silver.minute_bars ASOF JOIN {r} AS f ON symbol >= f.symbol",
    "SELECT list_transform([1], lambda x: (SELECT count(*) FROM {r}))",
    "SELECT 1 UNION ALL BY NAME SELECT * FROM {r}",
    "SELECT 1 EXCEPT (SELECT * FROM {r})",
    "SELECT 1 ORDER BY (SELECT count(*) FROM {r})",
    "SELECT 1 LIMIT (SELECT count(*) FROM {r})",
    "SELECT 1 OFFSET (SELECT count(*) FROM {r})",
    "SELECT sum(1) FILTER (WHERE (SELECT true FROM {r}))",
    "SELECT sum(1) OVER (PARTITION BY (SELECT count(*) FROM {r}))",
    "SELECT 1 GROUP BY GROUPING SETS ((SELECT 1 FROM {r}))",
    "SELECT 1 HAVING (SELECT true FROM {r})",
    "SELECT 1 QUALIFY (SELECT true FROM {r})",
    "SELECT {{'a': (SELECT count(*) FROM {r})}}",
    "SELECT 1 IN (SELECT 1 FROM {r})",
    "SELECT 1 = ANY (SELECT 1 FROM {r})",
    "VALUES ((SELECT count(*) FROM {r}))",
    "WITH a AS (SELECT * FROM {r}) SELECT * FROM a",
    "PIVOT {r} ON symbol",
    "FROM {r} UNPIVOT (v FOR k IN (symbol))",
    "SELECT DISTINCT ON ((SELECT 1 FROM {r})) 1",
    "FROM {r} SELECT 1",
    "TABLE {r}",
)
"""Every place of a SELECT where a relation may be named."""

_FILES: Final = (
    "'{in}'",
    '"{in}"',
    "'{out}'",
    "'{dir}/*.parquet'",
    "'{dir}/**'",
    "/*x*/'{in}'/*y*/",
    "main.'{in}'",
    "U&'{in}'",
    "E'{in}'",
    "$${in}$$",
    "'file://{in}'",
    "'https://127.0.0.1/x.csv'",
    "read_parquet('{in}')",
    "READ_TEXT(\n'{out}')",
    "\"glob\"('{dir}/*')",
    "query('FROM ''{in}''')",
    "query_table('duckdb_views')",
    "duckdb_settings()",
    "(FROM '{in}')",
    "((((FROM '{in}'))))",
    "system.main.duckdb_views",
    "system.information_schema.tables",
    "temp.sqlite_master",
    "memory.main.x",
)
"""Relations outside the lake's tables: files, globs, addresses, functions and catalogs."""

_CALLS: Final = (
    "SELECT {f}()",
    "SELECT {f}('{out}')",
    "SELECT {f}(symbol, 1) FROM silver.minute_bars",
    "SELECT list_transform(['{out}'], lambda x: {f}(x))",
    "SELECT [{f}(x) for x in ['{out}']]",
    "SELECT ('{out}').{f}()",
    "SELECT {f}('x') OVER ()",
    "SELECT {f}(DISTINCT 'x') FILTER (WHERE true)",
    "SELECT * REPLACE ({f}('x') AS symbol) FROM silver.minute_bars",
    "SELECT COLUMNS(lambda c: {f}(c)) FROM silver.minute_bars",
    "SELECT 1 ORDER BY {f}('x')",
    "SELECT CASE WHEN true THEN {f}(NULL) END",
    "SELECT main.{f}('x')",
    "SELECT system.main.{f}('x')",
    "SELECT try_cast({f}('x') AS VARCHAR)",
)
_TABLE_CALLS: Final = (
    "FROM {f}()",
    "FROM {f}('{out}')",
    "FROM {f}((SELECT 1))",
    "SELECT * FROM silver.minute_bars, {f}(symbol)",
    "SELECT * FROM silver.minute_bars, LATERAL (FROM {f}(symbol))",
    "FROM system.main.{f}('{out}')",
)
_STATEMENTS: Final = (
    "COPY silver.minute_bars TO '{dir}/x.{e}' (FORMAT {e})",
    "COPY (FROM '{in}') TO '{out}' (FORMAT {e})",
    "CREATE TABLE x AS FROM '{dir}/x.{e}'",
    "EXPLAIN ANALYZE FROM '{dir}/x.{e}'",
    "PREPARE p AS FROM '{dir}/x.{e}'",
    "CREATE MACRO m() AS TABLE FROM '{dir}/x.{e}'",
    "ATTACH '{dir}/x.{e}' AS x (READ_ONLY)",
    "LOAD '{dir}/x.{e}'",
    "SELECT 1; FROM '{dir}/x.{e}'",
    "FROM '{dir}/x.{e}'",
    "FROM x.{e}",
    'FROM "x.{e}"',
)
_ENDINGS: Final = ("csv", "csv.gz", "json", "ndjson", "parquet", "db", "duckdb", "arrow", "xlsx")
_SETTINGS: Final = ("SET {s} = DEFAULT", "SET GLOBAL {s} = 'x'", "RESET {s}", "PRAGMA {s} = 1")
_PRAGMAS: Final = ("PRAGMA {p}", "CALL {p}()", "PRAGMA {p}('x')")
_NOISE: Final = ("{}", "/**/ {}", "-- x\n{}", "{}\n;", "\ufeff{}", "({})", "{}\n-- '")


def attempts(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return every attempt, none twice; each has to be refused."""
    relations = _column(
        connection,
        "SELECT view_name FROM duckdb_views() UNION SELECT function_name FROM duckdb_functions() "
        "WHERE function_type IN ('table', 'table_macro') ORDER BY 1",
    )
    found = chain(_shadows(relations), _named(), _calls(connection), _commands(connection))
    return list(dict.fromkeys(found))


def _shadows(relations: list[str]) -> Iterator[str]:
    for number, relation in enumerate(relations):
        spelled = (relation, relation.upper(), f'"{relation}"')[number % 3]
        yield from (shape.format(n=spelled) for shape in _SHADOWS)


def _named() -> Iterator[str]:
    noise = cycle(_NOISE)
    for place in _PLACES:
        for relation in _FILES:
            yield next(noise).format(place.format(r=relation))


def _calls(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Yield calls of every function that is not allowed, in one form each, and special ones."""
    forms, table_forms = cycle(_CALLS), cycle(_TABLE_CALLS)
    kinds = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type"
    for name in _column(
        connection, f"{kinds} NOT IN ('table', 'table_macro', 'pragma') ORDER BY 1"
    ):
        if name.lower() not in FUNCTIONS:
            yield next(forms).replace("{f}", f'"{name}"')
    for name in _column(connection, f"{kinds} IN ('table', 'table_macro') ORDER BY 1"):
        if name not in TABLE_FUNCTIONS:
            yield next(table_forms).replace("{f}", f'"{name}"')


def _commands(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for statement in _STATEMENTS:
        yield from (statement.replace("{e}", ending) for ending in _ENDINGS)
    forms = cycle(_SETTINGS)
    for name in _column(connection, "SELECT name FROM duckdb_settings() ORDER BY 1"):
        yield next(forms).replace("{s}", name)
        yield f"SELECT current_setting('{name}')"
    pragmas = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'pragma'"
    for name in _column(connection, f"{pragmas} ORDER BY 1"):
        yield from (form.replace("{p}", name) for form in _PRAGMAS)


def _column(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return [str(value) for (value,) in connection.execute(sql).fetchall()]
