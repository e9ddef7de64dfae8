"""Whatever a catalog answers, rows are there exactly once.

Each fault either lands the commit and then raises, or raises without landing: what a lost reply,
a proxy's repeated request and a busy server look like from here. Rows are read back by PyIceberg's
own catalog, planner and reader.
"""

from __future__ import annotations

import errno
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

from ingot.errors import CommitConflictError, CommitStateUnknownError, StorageUnavailableError
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import Replacement, TableStore
from ingot.tables.contract import Column, String
from tests.support.storage_bars import (
    MINUTE_BARS,
    MONDAY,
    TUESDAY,
    files_below,
    iceberg_rows,
    load,
    rows_of,
    scope,
    stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingot.storage.iceberg.catalog.lake_catalog import CommitCatalog

CONFLICT = CommitFailedException("409: the table has been updated by another process")
UNKNOWN = CommitStateUnknownException("503: no reply from the catalog")
DROPPED = ConnectionResetError(errno.ECONNRESET, "connection reset by peer")
LOCKED = CommitConflictError("catalog.db", attempts=1, reason="database is locked")
FAULTS = {"conflict": CONFLICT, "unknown": UNKNOWN, "dropped": DROPPED, "locked": LOCKED}
SETTINGS = ("first commit of a table", "new scope", "existing scope")


class FaultyCatalog:
    """Lands or drops the next commits as told, raising each time; then behaves."""

    def __init__(self, inner: CommitCatalog, faults: list[tuple[bool, Exception]]) -> None:
        self.inner, self.faults = inner, faults
        self.commits = 0
        self.readable = True

    def load_table(self, identifier: Any) -> Any:
        if not self.readable:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
        return self.inner.load_table(identifier)

    def commit_table(self, table: Any, requirements: Any, updates: Any) -> Any:
        self.commits += 1
        if not self.faults:
            return self.inner.commit_table(table, requirements, updates)
        lands, error = self.faults.pop(0)
        if lands:
            self.inner.commit_table(table, requirements, updates)
        raise error


@pytest.fixture
def root(tmp_path: Path) -> Path:
    TableStore.create(tmp_path / "lake").close()
    return tmp_path / "lake"


@pytest.fixture
def faulty(root: Path) -> Iterator[Callable[..., tuple[TableStore, FaultyCatalog]]]:
    opened: list[TableStore] = []

    def make(*faults: tuple[bool, Exception]) -> tuple[TableStore, FaultyCatalog]:
        made: list[FaultyCatalog] = []

        def wrap(inner: CommitCatalog) -> FaultyCatalog:
            made.append(FaultyCatalog(inner, list(faults)))
            return made[0]

        store = TableStore(root, wrap=wrap, attempts=4)
        opened.append(store)
        store._committer  # noqa: B018 - the catalog is opened, and wrapped, at the first commit
        return store, made[0]

    yield make
    for store in opened:
        store.close()


def prepare(root: Path, setting: str) -> Counter[Any]:
    """Load what the setting asks for; return the rows that the commit under test must keep."""
    if setting == "first commit of a table":
        return Counter()
    with TableStore(root) as store:
        load(store, TUESDAY, {"KEPT": 1})
        if setting == "existing scope":
            load(store, MONDAY, {"OLD": 1, "AAPL": 7})
    return rows_of(TUESDAY, {"KEPT": 1})


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("lands", [True, False], ids=["lands", "does not land"])
@pytest.mark.parametrize("fault", FAULTS)
def test_rows_are_there_once_when_the_reply_is_an_error(
    root: Path, faulty: Any, setting: str, lands: bool, fault: str
) -> None:
    kept = prepare(root, setting)
    store, catalog = faulty((lands, FAULTS[fault]))

    snapshot = load(store, MONDAY, {"AAPL": 1, "MSFT": 2})

    assert iceberg_rows(root) == kept + rows_of(MONDAY, {"AAPL": 1, "MSFT": 2})
    assert snapshot in store.ancestors(MINUTE_BARS)
    assert catalog.commits == (1 if lands else 2)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("lands", [True, False], ids=["lands", "does not land"])
def test_rows_are_there_once_when_the_retry_is_told_an_error_too(
    root: Path, faulty: Any, setting: str, lands: bool
) -> None:
    kept = prepare(root, setting)
    store, _ = faulty((False, CONFLICT), (False, UNKNOWN), (lands, CONFLICT))

    load(store, MONDAY, {"AAPL": 1})

    assert iceberg_rows(root) == kept + rows_of(MONDAY, {"AAPL": 1})


def test_the_last_attempt_may_land_and_be_told_a_conflict(root: Path, faulty: Any) -> None:
    store, _ = faulty((False, CONFLICT), (False, CONFLICT), (False, CONFLICT), (True, CONFLICT))

    assert load(store, MONDAY, {"AAPL": 1}) in store.ancestors(MINUTE_BARS)
    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1})


def test_a_commit_that_loses_every_time_gives_up_and_changes_nothing(
    root: Path, faulty: Any
) -> None:
    kept = prepare(root, "existing scope") + rows_of(MONDAY, {"OLD": 1, "AAPL": 7})
    store, _ = faulty(*[(False, CONFLICT)] * 4)

    with pytest.raises(CommitConflictError, match=r"lost to other writers 4 times \(last: 409"):
        load(store, MONDAY, {"AAPL": 1})

    assert iceberg_rows(root) == kept


def test_an_error_that_is_no_conflict_is_not_tried_again(faulty: Any) -> None:
    store, catalog = faulty((False, RuntimeError("a defect")))

    with pytest.raises(StorageUnavailableError, match=r"did not land \(RuntimeError: a defect"):
        load(store, MONDAY, {"AAPL": 1})

    assert catalog.commits == 1


def test_an_error_that_is_no_conflict_may_still_have_landed(root: Path, faulty: Any) -> None:
    store, _ = faulty((True, RuntimeError("after the fact")))

    assert load(store, MONDAY, {"AAPL": 1}) is not None
    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1})


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("lands", [True, False], ids=["landed", "did not land"])
def test_an_unreadable_catalog_leaves_the_outcome_unknown_and_every_file_in_place(
    root: Path, faulty: Any, setting: str, lands: bool
) -> None:
    kept = prepare(root, setting)
    store, catalog = faulty((lands, UNKNOWN))
    work = stage(store, scope(MONDAY), {"AAPL": 1})
    catalog.commit_table = _then_unreadable(catalog)
    before = files_below(root)

    with pytest.raises(CommitStateUnknownError, match="Nothing was deleted"):
        store.replace(MINUTE_BARS, [work], run="run")
    assert before <= files_below(root)

    with TableStore(root) as later:
        later.replace(MINUTE_BARS, [work], run="again")
        assert iceberg_rows(root) == kept + rows_of(MONDAY, {"AAPL": 1})
        load(later, MONDAY, {"AAPL": 1})
        assert iceberg_rows(root) == kept + rows_of(MONDAY, {"AAPL": 1})


def _then_unreadable(catalog: FaultyCatalog) -> Callable[..., Any]:
    commit = catalog.commit_table

    def commit_table(*args: Any) -> Any:
        catalog.readable = False
        return commit(*args)

    return commit_table


def test_the_same_files_are_not_added_twice_when_the_first_commit_had_landed(faulty: Any) -> None:
    store, _ = faulty()
    work = stage(store, scope(MONDAY), {"AAPL": 1})
    first = store.replace(MINUTE_BARS, [work], run="run")

    assert store.replace(MINUTE_BARS, [work], run="again") == first
    assert store.stats(MINUTE_BARS).snapshots == 1


class LateCatalog(FaultyCatalog):
    """Drops the reply of the first commit and lands it only when the second one arrives."""

    def __init__(self, inner: CommitCatalog) -> None:
        super().__init__(inner, [])
        self.held: tuple[Any, ...] = ()

    def commit_table(self, *sent: Any) -> Any:
        self.commits += 1
        if self.commits == 1:
            self.held = sent
            raise DROPPED
        if self.commits == 2:
            self.inner.commit_table(*self.held)
        return self.inner.commit_table(*sent)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_commit_that_lands_after_it_was_given_up_is_recognised(root: Path, setting: str) -> None:
    kept = prepare(root, setting)
    with TableStore(root, wrap=LateCatalog, attempts=4) as store:
        snapshot = load(store, MONDAY, {"AAPL": 1})

        assert snapshot == store.head(MINUTE_BARS)
        assert iceberg_rows(root) == kept + rows_of(MONDAY, {"AAPL": 1})


class LateOnReadCatalog(LateCatalog):
    """Drops the reply of the first commit and lands it just before the second plan's read."""

    def commit_table(self, *sent: Any) -> Any:
        self.commits += 1
        if self.commits == 1:
            self.held = sent
            raise DROPPED
        return self.inner.commit_table(*sent)

    def load_table(self, identifier: Any) -> Any:
        found = self.inner.load_table(identifier)
        if self.held:
            held, self.held = self.held, ()
            self.inner.commit_table(*held)
        return found


def test_a_commit_that_lands_before_it_is_planned_again_is_recognised(root: Path) -> None:
    prepare(root, "existing scope")
    emptied = Replacement(scope(MONDAY), (), "unit")
    with TableStore(root, wrap=LateOnReadCatalog, attempts=4) as store:
        snapshot = store.replace(MINUTE_BARS, [emptied], run="run")

        assert snapshot == store.head(MINUTE_BARS)
        assert store.history(MINUTE_BARS)[-1].operation == "delete"


@pytest.mark.parametrize("lands", [True, False])
def test_columns_are_added_once_when_the_reply_is_an_error(faulty: Any, lands: bool) -> None:
    grown = replace(
        MINUTE_BARS, columns=(*MINUTE_BARS.columns, Column("note", String, "", nullable=True))
    )
    store, _ = faulty((lands, CONFLICT))

    assert store.ensure(grown)
    assert not store.ensure(grown)
    assert store.plan(ScanRequest(MINUTE_BARS)).columns[len(grown.columns)] == ("note", "VARCHAR")
