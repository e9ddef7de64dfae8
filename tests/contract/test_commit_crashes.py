"""A process may die, or the disk fill up, at any durable step."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

import pytest

from ingot.errors import StorageFullError
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
    rows_of,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it to clean up."""


class Fault:
    """Raises at the n-th durable step; counts them when n is None."""

    def __init__(self, at: int | None, raising: Callable[[], BaseException]) -> None:
        self.at, self.raising = at, raising
        self.seen: list[str] = []

    def __call__(self, point: str) -> None:
        self.seen.append(point)
        if self.at is not None and len(self.seen) == self.at + 1:
            raise self.raising()


def killed() -> Killed:
    return Killed("the process ends here")


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A lake with two days of one month, in one file where the job asks for it."""
    with TableStore.create(tmp_path / "lake") as store:
        load(store, MONDAY, {"AAPL": 1, "MSFT": 1})
        load(store, TUESDAY, {"AAPL": 2})
        if "merged file" in request.node.name:
            merge(store)
    return tmp_path / "lake"


def replace_monday(store: TableStore) -> None:
    load(store, MONDAY, {"AAPL": 9})


def merge(store: TableStore) -> None:
    store.compact(
        MINUTE_BARS,
        source=MASSIVE,
        dataset=STOCKS,
        start=MONDAY,
        end=MONDAY + 2 * ONE_DAY,
        run="compaction",
    )


OLD = rows_of(MONDAY, {"AAPL": 1, "MSFT": 1}) + rows_of(TUESDAY, {"AAPL": 2})
NEW = rows_of(MONDAY, {"AAPL": 9}) + rows_of(TUESDAY, {"AAPL": 2})
JOBS = {
    "replace": (replace_monday, NEW),
    "merge": (merge, OLD),
    "replace in a merged file": (replace_monday, NEW),
}


def steps(root: Path, job: Callable[[TableStore], None], copy: Path) -> dict[int, str]:
    """Return the durable steps of an undisturbed run, made on a copy of the lake, by number.

    Two steps of each file are left out: they find the disk as their neighbours do.
    """
    shutil.copytree(root, copy)
    counting = Fault(None, killed)
    with TableStore(copy, boundary=counting) as store:
        job(store)
    alike = (".before_write", ".after_sync")
    return {at: point for at, point in enumerate(counting.seen) if not point.endswith(alike)}


@pytest.mark.parametrize("name", JOBS)
def test_after_a_kill_at_any_step_the_table_is_old_or_new_and_the_work_can_be_repeated(
    root: Path, tmp_path: Path, name: str
) -> None:
    job, wanted = JOBS[name]
    points = steps(root, job, tmp_path / "copy")
    assert set(points.values()) >= {"data.before_link", "metadata.after_link", "commit.after_send"}

    for at in points:
        with TableStore(root, boundary=Fault(at, killed)) as store:
            with pytest.raises(Killed, match="the process ends"):
                job(store)
            assert iceberg_rows(root) in (OLD, wanted)

        with TableStore(root) as again:
            job(again)
            assert iceberg_rows(root) == wanted
            restore(again, name)
            assert iceberg_rows(root) == OLD


@pytest.mark.parametrize("name", JOBS)
def test_a_full_disk_at_any_step_changes_nothing_or_everything(
    root: Path, tmp_path: Path, name: str
) -> None:
    job, wanted = JOBS[name]
    points = steps(root, job, tmp_path / "copy")

    for at, point in points.items():
        with TableStore(root, boundary=Fault(at, full_disk)) as store:
            found = _run(job, store)
            after: Counter[Any] = iceberg_rows(root)
        landed = point in {"commit.after_send", "commit.before_load"}
        assert isinstance(found, StorageFullError) or landed, point
        assert after in (OLD, wanted)
        with TableStore(root) as again:
            restore(again, name)


def restore(store: TableStore, name: str) -> None:
    """Bring back what the next fault is to find."""
    load(store, MONDAY, {"AAPL": 1, "MSFT": 1})
    if name == "replace in a merged file":
        merge(store)
    if name == "merge":
        load(store, TUESDAY, {"AAPL": 2})


def _run(job: Callable[[TableStore], None], store: TableStore) -> BaseException | None:
    try:
        job(store)
    except StorageFullError as exc:
        return exc
    return None


def test_a_full_disk_says_what_to_do(root: Path) -> None:
    def full_at_data(point: str) -> None:
        if point == "data.before_link":
            raise full_disk()

    with TableStore(root, boundary=full_at_data) as store:  # noqa: SIM117
        with pytest.raises(StorageFullError, match="Free some space"):
            replace_monday(store)

    assert iceberg_rows(root) == OLD
