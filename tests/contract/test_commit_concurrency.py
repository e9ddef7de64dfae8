"""Writers that meet: nothing is lost, nothing is there twice."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ingot.errors import CommitConflictError, ContractBrokenError
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import TableStore
from tests.support.storage_bars import (
    MASSIVE,
    MINUTE_BARS,
    MONDAY,
    ONE_DAY,
    STOCKS,
    TUESDAY,
    iceberg_rows,
    load,
    planned_rows,
    rows_of,
    scope,
    stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingot.storage.iceberg.catalog.lake_catalog import CommitCatalog


@pytest.fixture
def root(tmp_path: Path) -> Path:
    TableStore.create(tmp_path / "lake").close()
    return tmp_path / "lake"


@pytest.fixture
def store(root: Path) -> Iterator[TableStore]:
    with TableStore(root) as found:
        yield found


class Meanwhile:
    """A catalog before whose first commits another writer is let in."""

    def __init__(self, inner: CommitCatalog, others: list[Callable[[], Any]]) -> None:
        self.inner, self.others = inner, others

    def load_table(self, identifier: Any) -> Any:
        return self.inner.load_table(identifier)

    def commit_table(self, *sent: Any) -> Any:
        if self.others:
            self.others.pop(0)()
        return self.inner.commit_table(*sent)


def beside(root: Path, *others: Callable[[], Any]) -> TableStore:
    """Return a store whose commits find that the others were faster."""
    return TableStore(root, wrap=lambda inner: Meanwhile(inner, list(others)))


def test_a_writer_that_lost_the_race_for_its_scope_does_not_double_rows(
    root: Path, store: TableStore
) -> None:
    load(store, MONDAY, {"AAPL": 0})
    with beside(root, lambda: load(store, MONDAY, {"AAPL": 1, "MSFT": 1})) as loser:
        load(loser, MONDAY, {"AAPL": 2})

    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 2})


def test_two_writers_of_the_same_new_unit_leave_it_there_once(
    root: Path, store: TableStore
) -> None:
    with beside(root, lambda: load(store, MONDAY, {"AAPL": 1})) as loser:
        load(loser, MONDAY, {"AAPL": 1})

    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1})


def test_a_zombie_that_staged_long_ago_does_not_double_rows(root: Path, store: TableStore) -> None:
    with TableStore(root) as zombie:
        stale = stage(zombie, scope(MONDAY), {"AAPL": 1})
        load(store, MONDAY, {"AAPL": 2})
        zombie.replace(MINUTE_BARS, [stale], run="zombie")

    assert sum(iceberg_rows(root).values()) == 1


def test_a_zombie_that_says_what_it_planned_on_is_refused(root: Path, store: TableStore) -> None:
    load(store, TUESDAY, {"AAPL": 1})
    with TableStore(root) as zombie:
        planned_on = zombie.head(MINUTE_BARS)
        stale = stage(zombie, scope(MONDAY), {"AAPL": 1})
        load(store, MONDAY, {"AAPL": 2})

        with pytest.raises(CommitConflictError, match="changed the same scope"):
            zombie.replace(MINUTE_BARS, [stale], run="zombie", planned_on=planned_on)

    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 2}) + rows_of(TUESDAY, {"AAPL": 1})


def test_a_zombie_that_planned_on_the_empty_table_is_refused(store: TableStore) -> None:
    stale = stage(store, scope(MONDAY), {"AAPL": 1})
    load(store, MONDAY, {"AAPL": 2})

    with pytest.raises(CommitConflictError, match="changed the same scope"):
        store.replace(MINUTE_BARS, [stale], run="zombie", planned_on=None)


def test_another_day_does_not_disturb_a_writer_that_says_what_it_planned_on(
    root: Path, store: TableStore
) -> None:
    planned_on = store.head(MINUTE_BARS)
    work = stage(store, scope(MONDAY), {"AAPL": 1})
    load(store, TUESDAY, {"AAPL": 2})

    store.replace(MINUTE_BARS, [work], run="run", planned_on=planned_on)

    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1}) + rows_of(TUESDAY, {"AAPL": 2})


def test_a_plan_on_a_snapshot_that_is_gone_is_refused(store: TableStore) -> None:
    with pytest.raises(CommitConflictError, match="Cannot find starting snapshot 42"):
        store.replace(
            MINUTE_BARS, [stage(store, scope(MONDAY), {"AAPL": 1})], run="run", planned_on=42
        )


def test_two_days_of_one_month_at_once_both_land(root: Path, store: TableStore) -> None:
    load(store, MONDAY, {"AAPL": 0})
    load(store, TUESDAY, {"AAPL": 0})
    with beside(root, lambda: load(store, TUESDAY, {"AAPL": 2})) as other:
        load(other, MONDAY, {"AAPL": 1})

    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1}) + rows_of(TUESDAY, {"AAPL": 2})


def test_many_threads_with_catalogs_of_their_own_lose_nothing(root: Path) -> None:
    days = [MONDAY + n * ONE_DAY for n in range(16)]

    def write(mine: list[date]) -> None:
        with TableStore(root) as own:
            for day in mine:
                load(own, day, {"AAPL": day.day})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, [days[n::4] for n in range(4)]))

    expected: Counter[Any] = Counter()
    for day in days:
        expected += rows_of(day, {"AAPL": day.day})
    assert iceberg_rows(root) == expected


def test_threads_that_share_one_store_lose_nothing(root: Path, store: TableStore) -> None:
    days = [MONDAY + n * ONE_DAY for n in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda day: load(store, day, {"AAPL": day.day}), days))

    assert len(iceberg_rows(root)) == len(days)


def test_a_lake_made_by_several_at_once_is_whole(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(TableStore.create, [tmp_path / "new"] * 4))

    for store in stores:
        load(store, MONDAY, {"AAPL": 1})
        store.close()
    assert iceberg_rows(tmp_path / "new") == rows_of(MONDAY, {"AAPL": 1})


_WRITER = """
import sys
from datetime import date
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from ingot.storage.iceberg.table_store import TableStore
from tests.support.storage_bars import load
with TableStore(Path(sys.argv[1])) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(int(sys.argv[3])):
        load(store, date(2025, 6, int(sys.argv[2]) + n), {"AAPL": 1})
"""


def test_two_processes_that_load_one_month_at_once_lose_nothing(
    root: Path, pytestconfig: pytest.Config
) -> None:
    def start(first: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(root), str(first), "5", str(pytestconfig.rootpath)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    writers = [start(2), start(12)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.communicate("go\n", timeout=60)

    assert [writer.returncode for writer in writers] == [0, 0]
    assert sum(iceberg_rows(root).values()) == 10


def test_a_rewrite_lands_beside_a_live_writer_five_times_of_five(
    root: Path, store: TableStore
) -> None:
    for attempt in range(5):
        old = MONDAY + attempt * timedelta(days=31)
        load(store, old, {"AAPL": 1})
        load(store, old + ONE_DAY, {"AAPL": 2})
        live = date(2026, 1, 5) + attempt * ONE_DAY

        def write_live(day: date = live) -> None:
            load(store, day, {"AAPL": 3})

        with beside(root, write_live) as rewriter:
            assert rewriter.compact(
                MINUTE_BARS,
                source=MASSIVE,
                dataset=STOCKS,
                start=old,
                end=old + 2 * ONE_DAY,
                run="compaction",
            )
        assert planned_rows(store, start=old, end=old + 2 * ONE_DAY) == rows_of(
            old, {"AAPL": 1}
        ) + rows_of(old + ONE_DAY, {"AAPL": 2})
        assert (
            len(store.plan(ScanRequest(MINUTE_BARS, start=old, end=old + 2 * ONE_DAY)).files) == 1
        )

    assert sum(iceberg_rows(root).values()) == 15


def test_a_rewrite_whose_input_was_replaced_is_refused(root: Path, store: TableStore) -> None:
    load(store, MONDAY, {"AAPL": 1})
    load(store, TUESDAY, {"AAPL": 2})
    with beside(root, lambda: load(store, MONDAY, {"AAPL": 9})) as rewriter:  # noqa: SIM117
        with pytest.raises(CommitConflictError, match="1 of its input files are gone"):
            rewriter.compact(
                MINUTE_BARS,
                source=MASSIVE,
                dataset=STOCKS,
                start=MONDAY,
                end=MONDAY + 2 * ONE_DAY,
                run="compaction",
            )

    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 9}) + rows_of(TUESDAY, {"AAPL": 2})


def test_a_day_is_replaced_while_its_month_is_being_merged(root: Path, store: TableStore) -> None:
    load(store, MONDAY, {"AAPL": 1})
    load(store, TUESDAY, {"AAPL": 2})

    def merge() -> None:
        store.compact(
            MINUTE_BARS,
            source=MASSIVE,
            dataset=STOCKS,
            start=MONDAY,
            end=MONDAY + 2 * ONE_DAY,
            run="compaction",
        )

    with beside(root, merge) as writer:
        load(writer, MONDAY, {"AAPL": 9})

    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 9}) + rows_of(TUESDAY, {"AAPL": 2})


def test_a_rewrite_that_would_lose_rows_is_refused(store: TableStore) -> None:
    load(store, MONDAY, {"AAPL": 1, "MSFT": 1})
    fewer = stage(store, scope(MONDAY), {"AAPL": 1}).files
    old = [file.location for file in store.plan(ScanRequest(MINUTE_BARS)).files]

    with pytest.raises(ContractBrokenError, match="would turn 2 rows into 1"):
        store.rewrite(MINUTE_BARS, old, fewer, run="run")


def test_a_rewrite_is_no_change_to_a_writer_that_says_what_it_planned_on(
    root: Path, store: TableStore
) -> None:
    load(store, MONDAY, {"AAPL": 1})
    load(store, TUESDAY, {"AAPL": 2})
    planned_on = store.head(MINUTE_BARS)
    store.compact(
        MINUTE_BARS,
        source=MASSIVE,
        dataset=STOCKS,
        start=MONDAY,
        end=MONDAY + 2 * ONE_DAY,
        run="compaction",
    )
    work = stage(store, scope(MONDAY), {"AAPL": 5})

    store.replace(MINUTE_BARS, [work], run="run", planned_on=planned_on)

    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 5}) + rows_of(TUESDAY, {"AAPL": 2})


def test_a_commit_waits_for_another_program_that_holds_the_catalog(
    root: Path, store: TableStore
) -> None:
    work = stage(store, scope(MONDAY), {"AAPL": 1})
    holder = sqlite3.connect(root / "catalog.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")

    def let_go() -> None:
        time.sleep(0.3)
        holder.execute("ROLLBACK")
        holder.close()

    letting_go = threading.Thread(target=let_go)
    letting_go.start()
    store.replace(MINUTE_BARS, [work], run="run")
    letting_go.join()

    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1})
