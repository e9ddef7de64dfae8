"""Statements that try to get out of the sandbox: each is refused, and leaves no trace."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
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
        shown = sandbox.ask(text, world.views).column_names
    except QueryError as refused:
        shown = [str(refused)]
    assert all(shown)
