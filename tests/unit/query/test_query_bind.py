"""What each name shows at a moment."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from ingot.engines.limits import Limits
from ingot.engines.trusted_queries import Reads
from ingot.errors import QueryError
from ingot.model.time import AsOf
from ingot.query.requests import listings
from ingot.query.requests.as_known import bind, table_of
from ingot.tables.arrow import arrow_schema
from ingot.tables.bronze import DAY_BARS as BRONZE_DAY_BARS
from ingot.tables.contract import Binding
from ingot.tables.input import ArrowRelation, FileRelation, columns_of
from ingot.tables.registry import ALL_TABLES
from ingot.tables.silver import CORPORATE_ACTIONS, SESSIONS
from ingot.tables.view import Condition, View, literal, name

if TYPE_CHECKING:
    from collections.abc import Iterator

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)


def on(day: int) -> datetime:
    return datetime(2025, 6, day, tzinfo=UTC)


def action(identity: str, known_from: datetime, known_to: datetime) -> dict[str, Any]:
    return {
        "source": "csv",
        "dataset": "actions",
        "action_id": identity,
        "symbol": "A",
        "ex_date": date(2025, 6, 30),
        "kind": "split",
        "known_from": known_from,
        "known_to": known_to,
    }


ACTIONS = ArrowRelation(
    pa.Table.from_pylist(
        [
            action("a", on(2), on(5)),
            action("a", on(5), FOREVER),
            action("withdrawn", on(3), on(4)),
            action("later", on(9), FOREVER),
        ],
        schema=arrow_schema(CORPORATE_ACTIONS),
    )
)


@pytest.fixture(scope="module")
def reads() -> Iterator[Reads]:
    with Reads(Limits(memory_mb=100, threads=1, timeout_s=20, max_rows=1000)) as reads:
        yield reads


def rows(reads: Reads, view: View, columns: str) -> list[tuple[Any, ...]]:
    found = reads.run(f"SELECT {columns} FROM {view.name} ORDER BY ALL", {view.name: view})
    return [tuple(row.values()) for row in found.to_pylist()]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (1, []),
        (2, [("a", on(2))]),
        (3, [("a", on(2)), ("withdrawn", on(3))]),
        (4, [("a", on(2))]),
        (5, [("a", on(5))]),
        (9, [("a", on(5)), ("later", on(9))]),
    ],
)
def test_a_table_shows_the_versions_in_force(
    reads: Reads, day: int, expected: list[tuple[Any, ...]]
) -> None:
    view = bind("silver.corporate_actions", AsOf(on(day)), ACTIONS)
    assert rows(reads, view, "action_id, known_from") == expected
    assert "known_to" not in view.columns


def test_a_history_shows_what_was_known_of_it_then(reads: Reads) -> None:
    def history(day: int) -> list[tuple[Any, ...]]:
        view = bind("silver.corporate_actions_history", AsOf(on(day)), ACTIONS)
        return rows(reads, view, "action_id, known_from, known_to")

    assert history(4) == [("a", on(2), FOREVER), ("withdrawn", on(3), on(4))]
    assert history(3) == [("a", on(2), FOREVER), ("withdrawn", on(3), FOREVER)]
    assert history(5) == [
        ("a", on(2), on(5)),
        ("a", on(5), FOREVER),
        ("withdrawn", on(3), on(4)),
    ]


def test_bronze_shows_the_rows_of_the_landings_in_force(reads: Reads) -> None:
    row: dict[str, Any] = dict.fromkeys(
        ("volume", "open", "close", "high", "low", "window_start", "transactions", "row_number"), 1
    )
    data = [
        row
        | {
            "source": "m",
            "dataset": "d",
            "file_date": date(2025, 6, 2),
            "ticker": t,
            "landing_id": i,
        }
        for t, i in [("old", -5), ("new", 7)]
    ]
    table = pa.Table.from_pylist(data, schema=arrow_schema(BRONZE_DAY_BARS))
    relation = ArrowRelation(table)
    bound = bind("bronze.day_bars", AsOf(on(2)), relation, landing_ids=[-5])
    assert rows(reads, bound, "ticker") == [("old",)]
    nothing = bind("bronze.day_bars", AsOf(on(1)), relation, landing_ids=[])
    assert rows(reads, nothing, "ticker") == []
    every = bind("bronze.day_bars_history", AsOf(on(2), is_now=True), relation)
    assert rows(reads, every, "ticker") == [("new",), ("old",)]


@pytest.mark.parametrize("table", [t.name for t in ALL_TABLES if t.binding is Binding.NONE])
def test_what_is_not_bound_refuses_a_moment(table: str) -> None:
    relation = FileRelation((), columns_of(table_of(table)[0]))
    with pytest.raises(QueryError, match="Ask for it without known_at"):
        bind(table, AsOf(on(2)), relation)
    assert bind(table, AsOf(on(2), is_now=True), relation).conditions == ()


def test_sessions_are_exempt_from_known_time() -> None:
    view = bind("silver.sessions", AsOf(on(2)), FileRelation((), columns_of(SESSIONS)))
    assert view.conditions == ()
    assert view.columns == SESSIONS.column_names


@pytest.mark.parametrize("history", ["silver.sessions_history", "ops.runs_history"])
def test_some_tables_keep_no_history(history: str) -> None:
    with pytest.raises(QueryError, match="keeps no history"):
        table_of(history)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(QueryError, match=r"Did you mean silver\.minute_bars\?"):
        table_of("silver.minute_bar")


def test_versions_of_a_day_are_listed_in_order(reads: Reads) -> None:
    with pytest.raises(QueryError, match="versions are kept of 1m and 1d bars"):
        listings.history("A", date(2025, 6, 2), interval="5m")
    listing = listings.history("A", date(2025, 6, 2))
    table, _ = table_of(listing.tables[0])
    view = bind(listing.tables[0], AsOf(on(2)), FileRelation((), columns_of(table)))
    found = reads.run(listing.sql, {view.name: view.narrowed(*listing.conditions)})
    assert found.num_rows == 0
    assert found.column_names[-2:] == ["known_from", "known_to"]


def test_symbols_are_listed_with_their_days(reads: Reads) -> None:
    listing = listings.symbols(date(2025, 6, 1), date(2025, 6, 30))
    views = {}
    for table_name in listing.tables:
        table, _ = table_of(table_name)
        short: dict[str, pa.DataType] = {
            "symbol": pa.string(),
            "trade_date": pa.date32(),
            "source": pa.string(),
        }
        days = [2, 3] if table_name == "silver.day_bars" else [3, 4]
        data = [{"symbol": "A", "trade_date": date(2025, 6, d), "source": "massive"} for d in days]
        relation = ArrowRelation(pa.Table.from_pylist(data, schema=pa.schema(short)))
        view = View(table.name, relation, tuple(short))
        views[table_name] = view.narrowed(*listing.conditions)
    assert reads.run(listing.sql, views).to_pylist() == [
        {
            "symbol": "A",
            "first_date": date(2025, 6, 2),
            "last_date": date(2025, 6, 4),
            "days": 3,
            "sources": "massive",
        }
    ]


def test_sessions_are_listed_as_instants(reads: Reads) -> None:
    row = {"calendar": "XNYS", "trade_date": date(2025, 6, 2), "session": "regular", "digest": "d"}
    bounds = {"start_ns": 1748871000 * 10**9, "end_ns": 1748894400 * 10**9}
    table = pa.Table.from_pylist([row | bounds], schema=arrow_schema(SESSIONS))
    view = bind("silver.sessions", AsOf(on(2)), ArrowRelation(table))
    listing = listings.sessions(date(2025, 6, 2), date(2025, 6, 3))
    (found,) = reads.run(listing.sql, {view.name: view.narrowed(*listing.conditions)}).to_pylist()
    assert found["session_start"] == datetime(2025, 6, 2, 13, 30, tzinfo=UTC)
    assert found["session_end"] == datetime(2025, 6, 2, 20, 0, tzinfo=UTC)


def test_values_are_quoted_for_sql() -> None:
    assert literal("a'b") == "'a''b'"
    assert literal(on(2)) == "TIMESTAMP WITH TIME ZONE '2025-06-02 00:00:00+00:00'"
    assert name('x"y') == '"x""y"'
    assert Condition("symbol", "in", ()).sql == "false"
    with pytest.raises(QueryError, match="character that no symbol"):
        literal("a\0b")
