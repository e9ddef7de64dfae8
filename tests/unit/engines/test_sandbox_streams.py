"""Long answers: read in batches from a process that waits, each time from the first row."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from ingot.engines.limits import Limits
from ingot.engines.sandbox.client import READ_AHEAD_BYTES, Sandbox
from ingot.errors import QueryError
from ingot.query.result.answer import Answer
from ingot.tables.stream import Stream
from tests.unit.engines.test_sandbox_limits import is_running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AHEAD = 1024 * 1024
ROWS = 400_000
"""Of 8 bytes: more than what is read ahead."""
EVERY = pa.array(np.arange(ROWS))
LONG = f"SELECT range AS n FROM range({ROWS})"
CUT = f"""SELECT range AS a, range AS b, range AS c,
CAST(CASE WHEN range < {ROWS - 1} THEN '1' ELSE 'x' END AS INTEGER) AS d FROM range({ROWS})"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("warehouse")
    limits = Limits(memory_mb=400, threads=2, max_rows=ROWS, timeout_s=20)
    room = {"parallel": 1, "open_answers": 2, "read_ahead_bytes": AHEAD}
    with Sandbox(folder, limits, **room) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("hurried")
    limits = Limits(memory_mb=400, threads=1, timeout_s=0.5, max_rows=10**14, max_answer_mb=10**6)
    with Sandbox(folder, limits, read_ahead_bytes=AHEAD) as sandbox:
        yield sandbox


def streamed(sandbox: Sandbox, sql: str) -> Stream:
    rows = sandbox.stream(sql, {})
    assert isinstance(rows, Stream)
    return rows


def answered(sandbox: Sandbox, sql: str) -> Answer:
    return Answer(sandbox.stream(sql, {}), datetime(2025, 6, 10, tzinfo=UTC))


def test_a_long_answer_is_read_in_batches_again_and_again(sandbox: Sandbox) -> None:
    rows = streamed(sandbox, LONG)
    for _ in range(2):
        batches = list(rows)
        assert max(batch.num_rows for batch in batches) <= 65_536
        assert pa.Table.from_batches(batches)["n"].combine_chunks().equals(EVERY)


def test_a_short_answer_is_a_table(sandbox: Sandbox) -> None:
    assert isinstance(sandbox.stream("SELECT 1 AS one", {}), pa.Table)


def test_open_answers_keep_no_other_waiting_and_are_limited(sandbox: Sandbox) -> None:
    kept = [iter(streamed(sandbox, LONG)) for _ in range(2)]  # of the one query that runs at once
    assert [next(rows)["n"][0].as_py() for rows in kept] == [0, 0]
    with pytest.raises(QueryError, match="2 long answers are being read, and no more can be"):
        next(iter(streamed(sandbox, LONG)))


def test_a_limit_is_kept_in_the_middle_of_a_long_answer(sandbox: Sandbox) -> None:
    rows = streamed(sandbox, f"SELECT range FROM range({ROWS + 1})")
    with pytest.raises(QueryError, match="setting query_max_rows"):
        list(rows)


def test_time_counts_only_while_the_query_works(hurried: Sandbox) -> None:
    batches = iter(streamed(hurried, LONG))
    next(batches)
    time.sleep(2.6)  # longer than the limit and what is added to it
    assert sum(batch.num_rows for batch in batches) == ROWS - 65_536


def test_a_query_that_works_too_long_in_the_middle_is_ended(hurried: Sandbox) -> None:
    rows = streamed(hurried, "SELECT a.range FROM range(10000000) AS a, range(1000000) AS b")
    with pytest.raises(QueryError, match="setting query_timeout_s"):
        for _ in rows:
            pass


def test_a_query_that_fails_late_leaves_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = answered(sandbox, CUT)
    with pytest.raises(QueryError, match="Could not convert string 'x'"):
        answer.write(tmp_path / "rows.arrow")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_stream_is_written_as_its_rows_in_memory_are(sandbox: Sandbox, form: str) -> None:
    made = []
    for rows in (sandbox.stream(LONG, {}), sandbox.ask(LONG, {})):
        stream = io.BytesIO()
        assert Answer(rows, datetime(2025, 6, 10, tzinfo=UTC)).write(stream, form) == ROWS  # type: ignore[arg-type]  # a name of the list above
        made.append(stream.getvalue())
    assert made[0] == made[1]


def test_rows_and_columns_of_a_stream_are_chosen_without_reading_it(sandbox: Sandbox) -> None:
    answer = answered(sandbox, f"SELECT range AS n, range AS m FROM range({ROWS})")
    chosen = answer.select(["m"]).head(70_000)
    assert chosen.is_stream
    assert chosen.pl()["m"].to_list() == list(range(70_000))
    text, hidden, count = answer.preview(4, 80)
    assert (text.split()[-4:], hidden, count) == (
        [f"{ROWS - 2}"] * 2 + [f"{ROWS - 1}"] * 2,
        (),
        ROWS,
    )


def test_a_library_of_arrow_reads_a_stream(sandbox: Sandbox) -> None:
    assert pl.DataFrame(answered(sandbox, LONG))["n"].sum() == ROWS * (ROWS - 1) // 2


def test_an_answer_that_is_dropped_leaves_no_process(sandbox: Sandbox) -> None:
    others = children(os.getpid(), but_of=sandbox)
    answer = answered(sandbox, LONG)
    reading = iter(answered(sandbox, LONG))
    next(reading)
    assert len(children(os.getpid())) == len(others) + 2
    del answer, reading
    assert children(os.getpid()) == others


def test_a_closed_sandbox_ends_every_long_answer(sandbox: Sandbox) -> None:
    others = children(os.getpid(), but_of=sandbox)
    unread, begun = streamed(sandbox, LONG), iter(streamed(sandbox, LONG))
    next(begun)
    assert len(children(os.getpid())) == len(others) + 2
    sandbox.close()
    assert children(os.getpid()) == others
    for rows in (begun, iter(unread), iter(unread)):
        with pytest.raises(QueryError, match="lake was closed before this answer was read"):
            next(rows)
    assert children(os.getpid()) == others


def test_a_closed_sandbox_ends_an_answer_for_which_a_thread_waits(sandbox: Sandbox) -> None:
    text = "repeat((range % 2)::VARCHAR, 5000)"  # minutes of work for each late batch
    slow = f"CASE WHEN range < 300000 THEN 0 ELSE levenshtein({text}, {text} || 'x') END"
    rows = streamed(sandbox, f"SELECT range, {slow} AS distance FROM range({ROWS})")
    waiting, errors = threading.Event(), []

    def read() -> None:
        try:
            for _ in rows:
                waiting.set()
        except QueryError as exc:
            errors.append(str(exc))

    thread = threading.Thread(target=read)
    thread.start()
    assert waiting.wait(20)
    sandbox.close()
    thread.join(20)
    assert [error.partition(".")[0] for error in errors] == [
        "The lake was closed before this answer was read to its end"
    ]


def test_the_oldest_unread_answer_makes_room_and_runs_again_when_read(sandbox: Sandbox) -> None:
    others = children(os.getpid(), but_of=sandbox)
    answers = [streamed(sandbox, LONG) for _ in range(3)]
    assert len(children(os.getpid())) == len(others) + 2
    for rows in answers:
        assert rows.collected()["n"].combine_chunks().equals(EVERY)
    assert len(children(os.getpid())) == len(others) + 1  # it waits for another query


def children(process: int, *, but_of: Sandbox | None = None) -> list[int]:
    """Return the processes of queries that a process has started; a sandbox is closed first."""
    if but_of is not None:
        but_of.close()
    command = ["ps", "-o", "pid=,args=", "-ww", "--ppid", str(process)]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [int(line.split()[0]) for line in lines.splitlines() if "sandbox.worker" in line]


CALLER = """
import resource, sys
from pathlib import Path
from ingot.engines.limits import Limits
from ingot.engines.sandbox.client import Sandbox

sandbox = Sandbox(Path(sys.argv[1]), Limits(memory_mb=400, threads=1, timeout_s=60, max_rows=10**9))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sql = "SELECT a.range FROM range(10000000) AS a, range(2)"
for batch in sandbox.stream(sql, {}):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_answer(tmp_path: Path) -> None:
    words = [sys.executable, "-c", CALLER, str(tmp_path)]  # reads 160 MB
    grown_kib = int(subprocess.run(words, capture_output=True, check=True).stdout)
    assert grown_kib * 1024 < 3 * READ_AHEAD_BYTES


READER = """
import sys
from pathlib import Path
from ingot.engines.limits import Limits
from ingot.engines.sandbox.client import Sandbox

sandbox = Sandbox(Path(sys.argv[1]), Limits(memory_mb=400, threads=1, timeout_s=60, max_rows=10**9))
batches = iter(sandbox.stream("SELECT a.range FROM range(10000000) AS a, range(100)", {}))
next(batches)
print("reading", flush=True)
for batch in batches:
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_process_of_a_stream_ends_with_its_reader(tmp_path: Path, number: int) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert reader.stdout is not None
    with reader.stdout:
        reader.stdout.readline()
        (query,) = children(reader.pid)
        reader.send_signal(number)
        reader.wait()
    while is_running(query):  # pytest-timeout ends a wait without end
        time.sleep(0.05)
