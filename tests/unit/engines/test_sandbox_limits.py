"""The limits of a query, and the errors of a wrong one."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingot.engines.limits import Limits
from ingot.engines.sandbox.client import Sandbox
from ingot.errors import QueryError
from ingot.tables.arrow import arrow_schema
from ingot.tables.input import ArrowRelation, FileRelation, columns_of
from ingot.tables.silver import SESSIONS
from ingot.tables.view import Condition, View

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = pa.Table.from_pylist(
    [
        {
            "calendar": "XNYS",
            "trade_date": date(2025, 6, day),
            "session": "regular",
            "start_ns": day,
            "end_ns": day + 1,
            "digest": "d",
        }
        for day in (2, 3, 4)
    ],
    schema=arrow_schema(SESSIONS),
)
VIEW = View("silver.sessions", ArrowRelation(ROWS), SESSIONS.column_names)
VIEWS = {VIEW.name: VIEW}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("warehouse")
    with Sandbox(folder, Limits(memory_mb=120, threads=2, timeout_s=1, max_rows=100)) as sandbox:
        yield sandbox


def refusal(sandbox: Sandbox, sql: str) -> str:
    with pytest.raises(QueryError, match=r"\S") as refused:
        sandbox.ask(sql, VIEWS)
    return str(refused.value)


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        "SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b",
        "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b",
    ],
)
def test_a_query_without_end_is_ended(sandbox: Sandbox, sql: str) -> None:
    started = time.monotonic()
    assert "setting query_timeout_s" in refusal(sandbox, sql)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT array_agg(a.range) FROM range(10000000) AS a, range(100) AS b",
        "SELECT string_agg(repeat('x', 10000), '') FROM range(10000000)",
        "SELECT DISTINCT a.range * b.range FROM range(10000000) AS a, range(10000) AS b",
        """WITH RECURSIVE t(s) AS (SELECT 'xxxxxxxxxx' UNION ALL SELECT s || s FROM t)
        SELECT max(length(s)) FROM t""",
        """SELECT length(a) FROM (SELECT replace(x, 'x', x) AS a FROM
        (SELECT replace(x, 'x', x) AS x FROM (SELECT repeat('x', 1000) AS x)))""",
        "SELECT len(list_transform(range(100000), lambda x: range(100000)))",
    ],
)
def test_a_query_that_needs_all_memory_is_ended(sandbox: Sandbox, sql: str) -> None:
    # A slow machine may run out of time first, which ends it as well.
    assert "setting query_" in refusal(sandbox, sql)


def test_an_answer_with_too_many_rows_is_refused(sandbox: Sandbox) -> None:
    assert "more than 100 rows (setting query_max_rows)" in refusal(
        sandbox, "SELECT * FROM range(101)"
    )
    assert sandbox.ask("SELECT * FROM range(100)", VIEWS).num_rows == 100


def test_an_answer_with_too_many_bytes_is_refused(tmp_path: Path) -> None:
    limits = {"memory_mb": 200, "threads": 1, "timeout_s": 20, "max_rows": 1000}
    wide = "SELECT repeat('x', 10000) AS x FROM range({})"  # 10,000 bytes a row
    with Sandbox(tmp_path, Limits(max_answer_mb=1, **limits)) as sandbox:
        message = refusal(sandbox, wide.format(200))
        assert "more than 1 MB (setting query_max_answer_mb)" in message
        assert sandbox.ask(wide.format(90), {}).num_rows == 90  # the process goes on


def test_a_text_that_would_crash_the_parser_is_refused(sandbox: Sandbox) -> None:
    depth = 6000
    nested = "SELECT * FROM (" * depth + "SELECT 1" + ")" * depth
    assert "nested" in refusal(sandbox, nested[:99_000])
    assert sandbox.ask("SELECT 1 AS one", VIEWS).to_pylist() == [{"one": 1}]


def test_a_text_that_is_too_long_is_refused(sandbox: Sandbox) -> None:
    assert "Write at most 100,000." in refusal(sandbox, "SELECT 1 --" + "x" * 100_000)


def test_a_process_that_dies_is_replaced(sandbox: Sandbox) -> None:
    assert sandbox.ask("SELECT 1 AS one", VIEWS).num_rows == 1
    for cell in sandbox._free:
        cell._process.kill()
        cell._process.wait()
    assert sandbox.ask("SELECT 1 AS one", VIEWS).num_rows == 1


def test_a_sandbox_that_is_never_closed_leaves_no_process(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, Limits(memory_mb=100, threads=1, timeout_s=20, max_rows=10))
    sandbox.ask("SELECT 1", {})
    (process,) = [cell._process for cell in sandbox._free]
    del sandbox
    gc.collect()
    assert process.wait(timeout=10) is not None


CALLER = """
import os, sys, time
from pathlib import Path
from threading import Timer
from ingot.engines.limits import Limits
from ingot.engines.sandbox.client import Sandbox

sandbox = Sandbox(Path(sys.argv[1]), Limits(memory_mb=200, threads=1, timeout_s=600, max_rows=10))
sandbox.ask("SELECT 1", {})
if sys.argv[2] == "forked" and os.fork() == 0:
    time.sleep(60)  # holds the other end of the process's pipe
    os._exit(0)
(cell,) = sandbox._free
Timer(0.5, lambda: print(cell._process.pid, flush=True)).start()
sandbox.ask("SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(1000000) AS b", {})
"""


@pytest.mark.parametrize("how", ["alone", "forked"])
def test_a_query_ends_when_its_caller_is_killed(tmp_path: Path, how: str) -> None:
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, str(tmp_path), how],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert caller.stdout is not None
    query = int(caller.stdout.readline())
    assert is_running(query)
    caller.kill()
    caller.wait()
    try:
        while is_running(query):  # pytest-timeout ends a wait without end
            time.sleep(0.1)
    finally:
        caller.stdout.close()
        if how == "forked":
            os.killpg(caller.pid, signal.SIGKILL)


def is_running(process: int) -> bool:
    command = ["ps", "-o", "stat=", "-p", str(process)]
    state = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_queries_at_once_see_their_own_moment(tmp_path: Path) -> None:
    moments = [datetime(2025, 6, day, tzinfo=UTC) for day in range(1, 6)]
    answers: dict[datetime, int] = {}
    with Sandbox(tmp_path, Limits(memory_mb=200, threads=1, timeout_s=20, max_rows=100)) as sandbox:

        def ask(moment: datetime) -> None:
            view = VIEW.narrowed(Condition("trade_date", "<=", moment.date()))
            rows = sandbox.ask("SELECT count(*) AS n FROM silver.sessions", {view.name: view})
            answers[moment] = rows["n"][0].as_py()

        threads = [threading.Thread(target=ask, args=[m]) for m in moments]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [answers[m] for m in moments] == [0, 1, 2, 3, 3]


def test_a_file_is_read_by_field_id_whatever_its_columns_are_called(tmp_path: Path) -> None:
    fields = [
        pa.field("newer", pa.int64(), metadata={b"PARQUET:field_id": b"2"}),
        pa.field("digest", pa.int64(), metadata={b"PARQUET:field_id": b"4"}),
    ]
    table = pa.table([pa.array([7]), pa.array([8])], schema=pa.schema(fields))
    pq.write_table(table, tmp_path / "x.parquet")
    columns = {2: ("digest", "BIGINT"), 4: ("newer", "BIGINT"), 5: ("added", "VARCHAR")}
    relation = FileRelation((str(tmp_path / "x.parquet"),), columns)
    view = View("silver.sessions", relation, ("digest", "newer", "added"))
    with Sandbox(tmp_path, Limits(memory_mb=200, threads=1, timeout_s=20, max_rows=100)) as sandbox:
        answer = sandbox.ask("SELECT * FROM silver.sessions", {view.name: view})
    assert answer.to_pylist() == [{"digest": 7, "newer": 8, "added": None}]


def test_a_table_without_files_is_empty_and_has_its_columns(sandbox: Sandbox) -> None:
    view = View("silver.sessions", FileRelation((), columns_of(SESSIONS)), SESSIONS.column_names)
    answer = sandbox.ask("SELECT * FROM silver.sessions", {view.name: view})
    assert answer.num_rows == 0
    assert answer.column_names == list(SESSIONS.column_names)
    assert answer.schema.field("trade_date").type == pa.date32()


def test_instants_are_utc_whatever_the_machine_says(sandbox: Sandbox) -> None:
    answer = sandbox.ask("SELECT CAST(TIMESTAMPTZ '2025-06-02 09:30+00' AS VARCHAR) AS t", VIEWS)
    assert answer["t"][0].as_py() == "2025-06-02 09:30:00+00"


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT * FROM silver.sesions", "Did you mean silver.sessions?"),
        ("SELECT * FROM sessions", "Did you mean silver.sessions?"),
        ("SELECT * FROM gold.daily_bar", "Did you mean gold.daily_bars?"),
        ("SELECT * FROM silver.minute_bars_histroy", "Did you mean silver.minute_bars_history?"),
        ("SELECT sesion FROM silver.sessions", "Did you mean session?"),
        ("SELECT s.strt_ns FROM silver.sessions AS s", "Did you mean start_ns?"),
        ("SELECT medain(start_ns) FROM silver.sessions", "Did you mean median?"),
        ("SELECT known_to FROM silver.sessions", "Only a table's history shows known_to"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(sandbox: Sandbox, sql: str, hint: str) -> None:
    assert hint in refusal(sandbox, sql)


def test_a_syntax_error_points_at_its_place(sandbox: Sandbox) -> None:
    lines = refusal(sandbox, "SELECT calendar FROM silver.sessions WHERE").splitlines()
    marks = next(i for i, line in enumerate(lines) if set(line.strip()) == {"^"})
    assert lines[marks - 1][lines[marks].index("^") :].startswith("WHERE")


def test_a_conversion_that_fails_is_a_query_error(sandbox: Sandbox) -> None:
    assert "could not be answered" in refusal(
        sandbox, "SELECT CAST(session AS INTEGER) FROM silver.sessions"
    )


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1", set()),
        ("FROM silver.minute_bars", {"silver.minute_bars"}),
        ("SELECT * FROM SILVER.Minute_Bars", {"silver.minute_bars"}),
        ("SELECT * FROM silver.minute_bars_history", {"silver.minute_bars_history"}),
        (
            """WITH b AS (SELECT * FROM gold.daily_bars) SELECT * FROM b JOIN b AS c USING (symbol)
            WHERE trade_date IN (SELECT trade_date FROM silver.sessions)""",
            {"gold.daily_bars", "silver.sessions"},
        ),
        ("WITH silver AS (SELECT 1) SELECT * FROM silver, ops.runs", {"ops.runs"}),
        (
            "(FROM silver.day_bars) UNION ALL (FROM bronze.day_bars)",
            {"silver.day_bars", "bronze.day_bars"},
        ),
    ],
)
def test_the_tables_of_a_query_are_named(sandbox: Sandbox, sql: str, tables: set[str]) -> None:
    assert sandbox.tables_of(sql) == tables


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT session, count(*), sum(end_ns - start_ns) AS total FROM silver.sessions GROUP BY 1",
        "SELECT *, row_number() OVER (ORDER BY start_ns) AS n FROM silver.sessions QUALIFY n = 1",
        "SELECT * FROM silver.sessions WHERE trade_date >= DATE '2025-06-03' - INTERVAL 3 DAYS",
        "SELECT date_trunc('month', trade_date), max(session) FROM silver.sessions GROUP BY ALL",
        "SELECT DISTINCT ON (calendar) * FROM silver.sessions ORDER BY trade_date DESC LIMIT 1",
        """SELECT a.* FROM silver.sessions AS a ASOF JOIN silver.sessions AS b
        ON a.calendar = b.calendar AND a.start_ns >= b.start_ns""",
        """SELECT CASE WHEN session LIKE 'reg%' THEN 1 ELSE 0 END, upper(session) || 'x',
        start_ns % 2, session IN ('a', 'b'), coalesce(NULL, 1), start_ns::VARCHAR, [1, 2][1],
        {'a': 1}.a, list_transform([1, 2], lambda x: x + 1), [x * 2 FOR x IN [1, 2]],
        printf('%.2f', 1.5) FROM silver.sessions""",
        "SELECT * EXCLUDE (digest), COLUMNS('.*_ns') FROM silver.sessions",
        """SELECT quantile_cont(start_ns, 0.5), arg_max(session, start_ns), stddev(start_ns),
        string_agg(session, ',' ORDER BY start_ns) FROM silver.sessions""",
        """SELECT day FROM
        generate_series(DATE '2025-06-01', DATE '2025-06-10', INTERVAL 1 DAY) AS d(day)""",
        "SELECT unnest(range(3)) AS i",
        "SELECT calendar FROM silver.sessions GROUP BY GROUPING SETS ((calendar), ())",
        """SELECT avg(start_ns) OVER (PARTITION BY calendar ORDER BY trade_date
        RANGE BETWEEN INTERVAL 3 DAYS PRECEDING AND CURRENT ROW) FROM silver.sessions""",
        "SELECT strftime(make_timestamp(start_ns // 1000), '%Y-%m-%d') FROM silver.sessions;",
        "SELECT make_timestamptz(start_ns // 1000) AT TIME ZONE 'Asia/Tokyo' FROM silver.sessions",
    ],
)
def test_what_analysts_write_is_answered(sandbox: Sandbox, sql: str) -> None:
    assert sandbox.ask(sql, VIEWS).num_rows > 0


def test_half_a_surrogate_pair_is_refused(sandbox: Sandbox) -> None:
    assert "surrogate" in refusal(sandbox, "SELECT '\ud800'")
