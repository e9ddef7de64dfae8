"""Statements that try to get out of the sandbox: each is refused, and leaves no trace."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingot.engines.sandbox import Sandbox
from ingot.errors import QueryError
from ingot.tables.relation import FileRelation
from ingot.tables.view import Condition, View

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HIDDEN_WORD = "XHIDDENX"
T = datetime(2025, 6, 10, tzinfo=UTC)
LATER = datetime(2025, 6, 11, tzinfo=UTC)
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)

# {in} is a data file of another table inside the lake, {out} a file outside, {dir} the lake.
OTHER_RELATIONS = [
    "SELECT * FROM '{in}'",
    'SELECT * FROM "{in}"',
    "FROM '{in}'",
    "FROM '{out}'",
    "SELECT * FROM '{out}.csv'",
    "SELECT * FROM '{dir}/*.parquet'",
    "SELECT * FROM 'file://{in}'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM 'https://example.org/x.csv'",
    'SELECT * FROM "silver.minute_bars.parquet"',
    "TABLE '{in}'",
    "SELECT * FROM main.'{in}'",
    "SELECT * FROM memory.main.'{in}'",
    'WITH "{in}" AS (SELECT 1) SELECT * FROM "{in}"',
    'SELECT * FROM (WITH "{in}" AS (SELECT 1) SELECT 1), "{in}"',
    "WITH a AS (SELECT * FROM '{in}') SELECT * FROM a",
    "SELECT (SELECT max(symbol) FROM '{in}')",
    "SELECT * FROM silver.minute_bars WHERE symbol IN (SELECT symbol FROM '{in}')",
    "SELECT * FROM silver.minute_bars WHERE EXISTS (FROM '{in}')",
    "SELECT * FROM silver.minute_bars JOIN '{in}' ON true",
    "SELECT * FROM silver.minute_bars, LATERAL (SELECT * FROM '{in}')",
    "SELECT * FROM silver.minute_bars UNION ALL BY NAME SELECT * FROM '{in}'",
    "VALUES ((SELECT max(symbol) FROM '{in}'))",
    "SELECT 1 ORDER BY (SELECT max(symbol) FROM '{in}')",
    "SELECT 1 LIMIT (SELECT count(*) FROM '{in}')",
    "SELECT CASE WHEN (SELECT max(symbol) FROM '{in}') > 'a' THEN 1 END",
    "SELECT sum(1) OVER (ORDER BY (SELECT max(symbol) FROM '{in}'))",
    "SELECT count(*) FILTER (WHERE (SELECT true FROM '{in}')) FROM silver.minute_bars",
    "SELECT list_transform([1], lambda x: (SELECT max(symbol) FROM '{in}'))",
    "SELECT * FROM silver.minute_bars QUALIFY (SELECT true FROM '{in}')",
    "SELECT symbol FROM silver.minute_bars GROUP BY ALL HAVING (SELECT true FROM '{in}')",
    "SELECT * REPLACE ((SELECT max(symbol) FROM '{in}') AS symbol) FROM silver.minute_bars",
    "WITH RECURSIVE a AS (SELECT 'x' UNION SELECT symbol FROM '{in}') SELECT * FROM a",
    "SELECT * FROM (DESCRIBE silver.minute_bars)",
    "SELECT * FROM (SUMMARIZE '{in}')",
    "SELECT * FROM (SHOW ALL TABLES)",
    "SELECT * FROM (PIVOT '{in}' ON symbol)",
    "SELECT * FROM '{in}' PIVOT (count(*) FOR symbol IN ('a'))",
    "SELECT * FROM silver.minute_bars UNPIVOT (v FOR k IN (known_from))",
    "SELECT * FROM silver.minute_bars AT (VERSION => 1)",
    "SELECT * FROM silver.minute_bars AT (TIMESTAMP => TIMESTAMP '2030-01-01')",
]
CATALOG = [
    "SELECT * FROM sqlite_master",
    "SELECT * FROM main.sqlite_master",
    "SELECT * FROM system.main.sqlite_master",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM sqlite_temp_master",
    "SELECT * FROM temp.sqlite_master",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information_schema.schemata",
    "SELECT * FROM system.information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM pg_catalog.pg_settings",
    "SELECT * FROM pg_class",
    "SELECT * FROM pg_views",
    "SELECT * FROM pg_settings",
    "SELECT * FROM duckdb_settings",
    "SELECT * FROM duckdb_views",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM duckdb_columns",
    "SELECT * FROM duckdb_databases",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM system.main.duckdb_tables",
    "SELECT * FROM (WITH sqlite_master AS (SELECT 1) SELECT 1), sqlite_master",
    "SELECT * FROM (WITH duckdb_views AS (SELECT 1) FROM duckdb_views), duckdb_views",
    "WITH duckdb_views AS (SELECT * FROM duckdb_views) SELECT * FROM duckdb_views",
    "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
    "SELECT * FROM memory.silver.minute_bars",
    "SELECT * FROM temp.main.rows",
    "SELECT * FROM silver.silver.minute_bars",
    "SELECT * FROM main.minute_bars",
    "SELECT * FROM minute_bars",
    "SELECT * FROM ops.catalog",
    "SELECT * FROM silver.minute_bars.known_to",
    'SELECT * FROM "silver.minute_bars"',
]
TABLE_FUNCTIONS = [
    "SELECT * FROM read_parquet('{in}')",
    "SELECT * FROM READ_PARQUET('{in}')",
    "SELECT * FROM \"read_parquet\"('{in}')",
    "SELECT * FROM main.read_parquet('{in}')",
    "SELECT * FROM system.main.read_parquet('{in}')",
    "SELECT * FROM read_parquet(['{in}'])",
    "SELECT * FROM parquet_scan('{in}')",
    "SELECT * FROM parquet_metadata('{in}')",
    "SELECT * FROM parquet_schema('{in}')",
    "SELECT * FROM parquet_file_metadata('{in}')",
    "SELECT * FROM parquet_kv_metadata('{in}')",
    "SELECT * FROM parquet_bloom_probe('{in}', 'symbol', 'a')",
    "SELECT * FROM read_csv('{out}')",
    "SELECT * FROM read_csv_auto('{out}')",
    "SELECT * FROM sniff_csv('{out}')",
    "SELECT * FROM read_json('{out}')",
    "SELECT * FROM read_json_objects('{out}')",
    "SELECT * FROM read_ndjson('{out}')",
    "SELECT * FROM read_text('{out}')",
    "SELECT * FROM read_text('{in}')",
    "SELECT * FROM read_blob('{out}')",
    "SELECT * FROM read_duckdb('{out}')",
    "SELECT * FROM read_single_csv_file('{out}')",
    "SELECT * FROM glob('{dir}/*')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM query('SELECT * FROM read_text(''{out}'')')",
    "SELECT * FROM query_table('duckdb_settings')",
    "SELECT * FROM query_table(['{in}'])",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM duckdb_variables()",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM duckdb_logs_parsed('QueryLog')",
    "SELECT * FROM duckdb_memory()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM duckdb_external_file_cache()",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM duckdb_prepared_statements()",
    "SELECT * FROM pragma_table_info('silver.minute_bars')",
    "SELECT * FROM pragma_storage_info('x')",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM pragma_show('silver.minute_bars')",
    "SELECT * FROM pragma_version()",
    "SELECT * FROM pragma_user_agent()",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM seq_scan('x')",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM python_map_function(1)",
    "SELECT * FROM repeat('x', 100)",
    "SELECT * FROM summary((SELECT 1))",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM enable_logging('QueryLog')",
    "SELECT * FROM truncate_duckdb_logs()",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM force_checkpoint()",
    "SELECT * FROM histogram_values('{in}', symbol)",
    "SELECT * FROM json_each('{}')",
    "SELECT * FROM silver.minute_bars, read_text(symbol)",
    "SELECT * FROM range((SELECT count(*) FROM '{in}'))",
]
SCALARS = [
    "SELECT getenv('" + HIDDEN_WORD + "')",
    "SELECT 'PATH'.getenv()",
    "SELECT current_setting('memory_limit')",
    "SELECT current_setting('allowed_directories')",
    "SELECT getvariable('x')",
    "SELECT current_user",
    "SELECT session_user",
    "SELECT user",
    'SELECT "current_catalog"',
    "SELECT current_schema()",
    "SELECT current_schemas(true)",
    "SELECT current_database()",
    "SELECT current_query()",
    "SELECT current_date",
    "SELECT current_timestamp",
    "SELECT localtime",
    "SELECT now()",
    "SELECT today()",
    "SELECT get_current_time()",
    "SELECT transaction_timestamp()",
    "SELECT random()",
    "SELECT uuid()",
    "SELECT gen_random_uuid()",
    "SELECT setseed(0.5)",
    "SELECT version()",
    "SELECT txid_current()",
    "SELECT current_connection_id()",
    "SELECT pg_sleep(100)",
    "SELECT sleep_ms(100000)",
    "SELECT write_log('x')",
    "SELECT error('x')",
    "SELECT nextval('x')",
    "SELECT setval('x', 1)",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT json_deserialize_sql('{}')",
    "SELECT json_serialize_plan('SELECT * FROM ''{in}''')",
    "SELECT pg_get_viewdef(1)",
    "SELECT obj_description(1, 'x')",
    "SELECT inet_server_addr()",
    "SELECT in_search_path('x', 'y')",
    "SELECT stats(symbol) FROM silver.minute_bars",
    "SELECT vector_type(symbol) FROM silver.minute_bars",
    "SELECT list_aggregate([1], 'sum')",
    "SELECT read_text('{out}')",
    "SELECT (SELECT content FROM read_text('{out}'))",
    "SELECT list_transform(['{out}'], lambda x: read_text(x))",
    "SELECT [read_text(x) for x in ['{out}']]",
    "SELECT COLUMNS(lambda c: c = getenv('PATH')) FROM silver.minute_bars",
    "SELECT * REPLACE (getenv('PATH') AS symbol) FROM silver.minute_bars",
    "SELECT max(getenv('PATH')) OVER () FROM silver.minute_bars",
    "SELECT 1 ORDER BY getenv('PATH')",
    "SELECT 1 LIMIT length(getenv('PATH'))",
    "SELECT main.getenv('PATH')",
    "SELECT system.main.getenv('PATH')",
    "SELECT x.upper() FROM (SELECT 'a' AS x)",
    "SELECT CAST('a' AS main.mood)",
    "SELECT ?",
    "SELECT $1",
    "SELECT $name",
    "SELECT DEFAULT",
    "SELECT * FROM silver.minute_bars USING SAMPLE 1",
    "SELECT * FROM silver.minute_bars TABLESAMPLE 10%",
]
STATEMENTS = [
    "",
    ";",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP SCHEMA silver CASCADE",
    "SELECT 1;;SELECT * FROM '{in}'",
    "COPY (SELECT 1) TO '{dir}/evil.csv'",
    "COPY silver.minute_bars TO '{out}'",
    "COPY silver.minute_bars FROM '{out}'",
    "EXPORT DATABASE '{dir}/evil'",
    "IMPORT DATABASE '{dir}'",
    "ATTACH '{dir}/evil.db'",
    "ATTACH ':memory:' AS evil",
    "DETACH memory",
    "USE memory",
    "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW silver.v AS SELECT 1",
    "CREATE OR REPLACE VIEW silver.minute_bars AS SELECT 1",
    "CREATE MACRO f(x) AS x",
    "CREATE HIDDEN_WORD s (TYPE s3)",
    "CREATE SCHEMA x",
    "CREATE SEQUENCE s",
    "CREATE TYPE mood AS ENUM ('a')",
    "DROP VIEW silver.minute_bars",
    "ALTER VIEW silver.minute_bars RENAME TO x",
    "INSERT INTO silver.minute_bars VALUES (1)",
    "UPDATE silver.minute_bars SET symbol = 'x'",
    "DELETE FROM silver.minute_bars",
    "TRUNCATE silver.minute_bars",
    "MERGE INTO silver.minute_bars USING (SELECT 1) ON true WHEN MATCHED THEN DELETE",
    "WITH d AS (DELETE FROM silver.minute_bars RETURNING *) SELECT * FROM d",
    "WITH i AS (INSERT INTO silver.minute_bars VALUES (1) RETURNING *) SELECT * FROM i",
    "WITH u AS (UPDATE silver.minute_bars SET symbol = '' RETURNING *) SELECT * FROM u",
    "SET threads = 64",
    "SET GLOBAL enable_external_access = true",
    "RESET lock_configuration",
    "SET VARIABLE x = 1",
    "PRAGMA database_list",
    "PRAGMA table_info('silver.minute_bars')",
    "CALL pragma_version()",
    "CALL duckdb_settings()",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{out}'",
    "DESCRIBE silver.minute_bars",
    "SUMMARIZE silver.minute_bars",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SHOW DATABASES",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT * FROM '{in}'",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "BEGIN",
    "COMMIT",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "COMMENT ON TABLE silver.minute_bars IS 'x'",
    "PIVOT silver.minute_bars ON symbol USING count(*)",
    "UNPIVOT silver.minute_bars ON symbol",
    "PIVOT '{in}' ON symbol",
]
HIDDEN = [
    "SELECT known_to FROM silver.minute_bars",
    "SELECT b.known_to FROM silver.minute_bars AS b",
    "SELECT silver.minute_bars.known_to FROM silver.minute_bars",
    "SELECT * REPLACE (1 AS known_to) FROM silver.minute_bars",
    "SELECT * EXCLUDE (known_to) FROM silver.minute_bars",
    "SELECT COLUMNS('known_t.') FROM silver.minute_bars",
    "SELECT 1 FROM silver.minute_bars ORDER BY known_to",
    "SELECT b.b.known_to FROM (SELECT b FROM silver.minute_bars AS b) AS b",
    "SELECT filename FROM silver.minute_bars",
    "SELECT file_row_number FROM silver.minute_bars",
    "SELECT file_index FROM silver.minute_bars",
    "SELECT rowid FROM silver.minute_bars",
]
GREEDY = [
    "SELECT repeat('x', 1000000000)",
    "SELECT repeat('x', i::INT) FROM range(1000000) AS t(i)",
    "SELECT lpad('x', 2000000000, 'y')",
    "SELECT printf('%1000000000d', 1)",
    "SELECT printf('%*d', 1000000000, 1)",
    "SELECT format('{:1000000000}', 1)",
    "SELECT format('{:{}}', 1, 1000000000)",
    "SELECT format(repeat('{:99}', 10000), 1)",
    "SELECT range(1000000000000)",
    "SELECT generate_series(0, 100000000000)",
    "SELECT list_resize([1], 1000000000000)",
    "SELECT count(*) FROM range(1000000000000000)",
    "SELECT count(*) FROM silver.minute_bars, generate_series(0, length(symbol) * 1000000)",
]
CORPUS = [
    *OTHER_RELATIONS,
    *CATALOG,
    *TABLE_FUNCTIONS,
    *SCALARS,
    *STATEMENTS,
    *HIDDEN,
    *GREEDY,
]

COLUMNS = ("symbol", "known_from")
FIELDS = {
    1: ("symbol", "VARCHAR"),
    2: ("known_from", "TIMESTAMP WITH TIME ZONE"),
    3: ("known_to", "TIMESTAMP WITH TIME ZONE"),
}


class World:
    """A lake's folder with secrets beside and inside it, and one bound view."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lake = root / "warehouse"
        self.lake.mkdir()
        self.shown = self._file("shown.parquet", ["AAPL", HIDDEN_WORD], [T, LATER])
        self.inside = self._file("other.parquet", [HIDDEN_WORD], [T])
        self.outside = root / "outside.txt"
        self.outside.write_text(HIDDEN_WORD)
        (root / "outside.txt.csv").write_text(HIDDEN_WORD)

    def _file(self, name: str, symbols: list[str], known: list[datetime]) -> Path:
        kind = pa.timestamp("us", tz="UTC")
        columns: dict[str, pa.Array[Any]] = {
            "symbol": pa.array(symbols),
            "known_from": pa.array(known, kind),
            "known_to": pa.array([FOREVER] * len(known), kind),
        }
        fields = [
            pa.field(n, c.type, metadata={b"PARQUET:field_id": str(i).encode()})
            for i, (n, c) in enumerate(columns.items(), start=1)
        ]
        pq.write_table(pa.table(list(columns.values()), schema=pa.schema(fields)), self.lake / name)
        return self.lake / name

    @property
    def views(self) -> dict[str, View]:
        relation = FileRelation((str(self.shown),), FIELDS)
        bound = (Condition("known_from", "<=", T), Condition("known_to", ">", T))
        return {"silver.minute_bars": View("silver.minute_bars", relation, COLUMNS, bound)}

    def fill(self, text: str) -> str:
        places = {"{in}": self.inside, "{out}": self.outside, "{dir}": self.lake}
        for word, path in places.items():
            text = text.replace(word, str(path))
        return text

    def fingerprint(self) -> dict[str, str]:
        files = [p for p in self.root.rglob("*") if p.is_file()]
        return {str(p): sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def sandbox(world: World) -> Iterator[Sandbox]:
    os.environ[HIDDEN_WORD] = HIDDEN_WORD
    with Sandbox(world.lake, memory_mb=200, threads=2, timeout_s=2, max_rows=1000) as sandbox:
        yield sandbox
    del os.environ[HIDDEN_WORD]


def test_the_corpus_is_large_and_says_nothing_twice() -> None:
    assert len(CORPUS) == len(set(CORPUS)) >= 250


def test_the_question_next_to_them_is_answered(world: World, sandbox: Sandbox) -> None:
    answer = sandbox.ask("SELECT * FROM silver.minute_bars", world.views)
    assert answer.column_names == ["symbol", "known_from"]
    assert answer["symbol"].to_pylist() == ["AAPL"]  # what became known after T is not there


@pytest.mark.parametrize("attempt", CORPUS)
def test_no_attempt_gets_out(world: World, sandbox: Sandbox, attempt: str) -> None:
    before = world.fingerprint()
    with pytest.raises(QueryError, match=r"\S"):
        sandbox.ask(world.fill(attempt), world.views)
    assert world.fingerprint() == before


def test_a_name_that_is_not_bound_is_refused(world: World, sandbox: Sandbox) -> None:
    with pytest.raises(QueryError, match=r"ops\.landings were not bound"):
        sandbox.ask("SELECT * FROM ops.landings", world.views)


PIECES = st.sampled_from(
    [
        "'{in}'",
        '"{in}"',
        "silver.minute_bars",
        "sqlite_master",
        "duckdb_views()",
        "read_text('{out}')",
        "(SELECT * FROM '{in}')",
        "known_to",
        "*",
        "a",
        ",",
        ";",
        "WITH a AS (SELECT 1)",
        "UNION ALL SELECT symbol FROM '{in}'",
        "SELECT",
        "FROM",
        "WHERE true",
        "AS a",
        "(",
        ")",
        "LATERAL",
        "JOIN",
        "/* */",
        "--",
        "getenv('" + HIDDEN_WORD + "')",
        "max(symbol)",
        "COLUMNS(*)",
    ]
)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    words = draw(st.sampled_from(CORPUS)).split(" ")
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(words)))
        kind = draw(st.sampled_from(["insert", "drop", "replace", "join", "case"]))
        if kind == "insert":
            words.insert(place, draw(PIECES))
        elif kind == "drop" and words:
            words.pop(min(place, len(words) - 1))
        elif kind == "replace" and words:
            words[min(place, len(words) - 1)] = draw(PIECES)
        elif kind == "join":
            words += ["UNION", "ALL", *draw(st.sampled_from(CORPUS)).split(" ")]
        elif words:
            words[min(place, len(words) - 1)] = words[min(place, len(words) - 1)].swapcase()
    return " ".join(words)


@given(text=mutations())
@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_mutation_gets_out(world: World, sandbox: Sandbox, text: str) -> None:
    before = world.fingerprint()
    try:
        answer = sandbox.ask(world.fill(text), world.views)
    except QueryError:
        pass
    else:
        shown = [str(v) for column in answer.columns for v in column.to_pylist()]
        # A literal of the question may be shown; what stands in files, names or settings may not.
        assert not any(
            HIDDEN_WORD in v or "warehouse" in v for v in shown if v not in world.fill(text)
        )
        assert "known_to" not in answer.column_names or "known_to" in text
    assert world.fingerprint() == before


@given(text=st.text(max_size=80))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_is_answered_or_refused(world: World, sandbox: Sandbox, text: str) -> None:
    try:
        sandbox.ask(text, world.views)
    except QueryError:
        return
