"""Statements that try to get out of the sandbox: each is refused, and leaves no trace."""

from __future__ import annotations

import os
import random
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingot.engines.limits import Limits
from ingot.engines.params import packed
from ingot.engines.sandbox.client import Sandbox
from ingot.engines.sandbox.function_allowlist import SPECIAL_NAMES, TODAY
from ingot.engines.sandbox.validator import relation_names, validate
from ingot.errors import QueryError
from ingot.tables.input import FileRelation
from ingot.tables.view import Condition, View
from tests.support.sandbox_attempts import attempts

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN_WORD = "XHIDDENX"
T = datetime(2025, 6, 10, tzinfo=UTC)
LATER = datetime(2025, 6, 11, tzinfo=UTC)
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)

ATTEMPTS = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
CORPUS = ["", *(line for line in ATTEMPTS if line and not line.startswith("#"))]

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
    with Sandbox(
        world.lake, Limits(memory_mb=200, threads=2, timeout_s=2, max_rows=1000)
    ) as sandbox:
        yield sandbox
    del os.environ[HIDDEN_WORD]


def test_the_corpus_is_large_and_says_nothing_twice() -> None:
    assert len(CORPUS) == len(set(CORPUS)) >= 250


def test_the_question_next_to_them_is_answered(world: World, sandbox: Sandbox) -> None:
    answer = sandbox.ask("SELECT * FROM silver.minute_bars", world.views)
    assert answer.column_names == ["symbol", "known_from"]
    assert answer["symbol"].to_pylist() == ["AAPL"]  # what became known after T is not there


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM range($1)", "Write literals"),
        ("SELECT repeat('x', $1)", "Write literals"),
        ("SELECT printf($1, 1)", "plain format"),
        ("SELECT * FROM read_text($1)", "table function read_text cannot"),
        ("SELECT * FROM query($1)", "table function query cannot"),
        ("SELECT $1; SELECT 2", "holds 2 statements"),
    ],
)
def test_a_parameter_is_a_value_and_nothing_else(
    world: World, sandbox: Sandbox, sql: str, message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        sandbox.ask(sql, world.views, params=packed([1_000_000_000]))


def test_a_parameter_is_bound_and_never_becomes_text(world: World, sandbox: Sandbox) -> None:
    text = "AAPL' OR symbol = 'XHIDDENX"
    sql = "SELECT count(*) AS n FROM silver.minute_bars WHERE symbol = $symbol"
    answers = [sandbox.ask(sql, world.views, params=packed({"symbol": s})) for s in (text, "AAPL")]
    assert [answer["n"].to_pylist() for answer in answers] == [[0], [1]]


@pytest.mark.parametrize("word", ["DESCRIBE", "SUMMARIZE"])
def test_a_description_names_the_columns_of_the_bound_view_only(
    world: World, sandbox: Sandbox, word: str
) -> None:
    answer = sandbox.ask(f"{word} silver.minute_bars", world.views)
    assert answer["column_name"].to_pylist() == ["symbol", "known_from"]


def test_the_current_date_is_that_of_the_moment(world: World, sandbox: Sandbox) -> None:
    sql = "SELECT current_date AS a, current_date - 1 AS b FROM silver.minute_bars"
    answer = sandbox.ask(sql, world.views, today=date(2025, 6, 10))
    assert answer.to_pylist() == [{"a": date(2025, 6, 10), "b": date(2025, 6, 9)}]


@pytest.mark.parametrize("attempt", CORPUS)
def test_no_attempt_gets_out(world: World, sandbox: Sandbox, attempt: str) -> None:
    before = world.fingerprint()
    with pytest.raises(QueryError, match=r"\S"):
        sandbox.ask(world.fill(attempt), world.views)
    assert world.fingerprint() == before


def test_a_name_that_is_not_bound_is_refused(world: World, sandbox: Sandbox) -> None:
    with pytest.raises(QueryError, match=r"ops\.landings were not bound"):
        sandbox.ask("SELECT * FROM ops.landings", world.views)


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def test_the_installed_duckdb_gives_a_thousand_attempts(engine: duckdb.DuckDBPyConnection) -> None:
    assert len(attempts(engine)) >= 1_000


def test_a_thousand_attempts_are_refused_by_the_validator(
    world: World, engine: duckdb.DuckDBPyConnection
) -> None:
    made = random.sample(attempts(engine), 1_000)
    assert passed_by(engine, [world.fill(attempt) for attempt in made]) == []


@pytest.mark.services
def test_every_attempt_is_refused_by_the_validator(
    world: World, engine: duckdb.DuckDBPyConnection
) -> None:
    assert passed_by(engine, [world.fill(attempt) for attempt in attempts(engine)]) == []


def passed_by(engine: duckdb.DuckDBPyConnection, texts: list[str]) -> list[str]:
    reserved, passed = relation_names(engine), []
    for text in texts:
        try:
            validate(engine, text, reserved)
        except QueryError:
            continue
        passed.append(text)
    return passed


def test_a_sample_of_the_attempts_is_refused_by_the_real_sandbox(
    world: World, sandbox: Sandbox, engine: duckdb.DuckDBPyConnection
) -> None:
    before = world.fingerprint()
    for attempt in random.sample(attempts(engine), 60):
        with pytest.raises(QueryError, match=r"\S"):
            sandbox.ask(world.fill(attempt), world.views)
    assert world.fingerprint() == before


@pytest.mark.parametrize("name", ["duckdb_views", "pg_settings", "sqlite_master"])
def test_the_anchor_of_a_recursion_does_not_see_its_own_name(sandbox: Sandbox, name: str) -> None:
    rows = f"SELECT * FROM {name} UNION ALL SELECT * FROM {name} WHERE false"
    with pytest.raises(QueryError, match=f"There is no table {name}"):
        sandbox.tables_of(f"WITH RECURSIVE {name} AS ({rows}) SELECT * FROM {name}")


@pytest.mark.parametrize(
    "sql",
    [
        "WITH pg_settings AS (SELECT 1) FROM pg_settings",
        "WITH DUCKDB_VIEWS AS (SELECT 1) FROM duckdb_views",
        "WITH read_text AS (SELECT 1) FROM read_text",
        "SELECT * FROM silver.minute_bars AS sqlite_master",
        "SELECT * FROM (SELECT 1) AS query_table",
    ],
)
def test_a_name_of_the_engines_catalog_is_refused_as_a_name(sandbox: Sandbox, sql: str) -> None:
    with pytest.raises(QueryError, match="is a relation of the engine"):
        sandbox.tables_of(sql)


def test_a_recursion_over_its_own_rows_is_answered(world: World, sandbox: Sandbox) -> None:
    sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 4) FROM n"
    assert sandbox.ask(sql, world.views)["x"].to_pylist() == [1, 2, 3, 4]


def test_every_bare_word_that_the_engine_calls_is_known(engine: duckdb.DuckDBPyConnection) -> None:
    rows = engine.execute(
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
        "WHERE regexp_full_match(function_name, '[A-Za-z_]+') UNION SELECT keyword_name "
        "FROM duckdb_keywords() WHERE keyword_name NOT IN ('true', 'false', 'null')"
    ).fetchall()
    assert {word for (word,) in rows if is_called(engine, word)} <= SPECIAL_NAMES | {TODAY}


def is_called(engine: duckdb.DuckDBPyConnection, word: str) -> bool:
    try:
        engine.execute(f"EXPLAIN SELECT {word}")
    except duckdb.Error:
        return False
    return True


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
        shown = sandbox.ask(text, world.views).column_names
    except QueryError as refused:
        shown = [str(refused)]
    assert all(shown)
