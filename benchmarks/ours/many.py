"""Planning among many files: one day among 250 and among 2,500."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from benchmarks.clock import repeated, timed
from ingot.model.unit import Scope
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import Replacement, TableStore
from ingot.tables import silver
from ingot.tables.arrow import arrow_schema

_TABLE = silver.DAY_BARS
_DAYS_PER_COMMIT = 25
_FIRST = date(2016, 1, 4)
_DAY = timedelta(days=1)


def main() -> None:
    """Run: many FOLDER FILES STEP: a lake of so many one-day files, kept for the next time."""
    folder, count, step = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        with timed("files written"):
            _fill(TableStore.create(folder), count)
        (folder / "whole").touch()
    store = TableStore.open(folder)
    with timed("first plan"):
        _plan(store, 0)
    repeated(step, lambda i: _plan(store, i))
    repeated(f"{step}, store opened anew", lambda i: _plan(TableStore.open(folder), i))
    repeated(f"{step}, all files", lambda _: store.plan(ScanRequest(_TABLE)), times=5)


def _plan(store: TableStore, i: int) -> None:
    day = _FIRST + i * _DAY
    if not store.plan(ScanRequest(_TABLE, start=day, end=day + _DAY)).files:
        raise LookupError(f"no file for {day}")


def _fill(store: TableStore, count: int) -> None:
    for begin in range(0, count, _DAYS_PER_COMMIT):
        days = [_FIRST + i * _DAY for i in range(begin, min(count, begin + _DAYS_PER_COMMIT))]
        store.replace(_TABLE, [_unit(store, day) for day in days], run="bench")


def _unit(store: TableStore, day: date) -> Replacement:
    scope = Scope("massive", "bench", day, day + _DAY)
    rows = _rows(day).to_reader()
    return Replacement(
        scope=scope, files=store.write(_TABLE, scope, "bench", rows), unit=f"bench/{day}"
    )


def _rows(day: date) -> pa.Table:
    schema = arrow_schema(_TABLE)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    values = {
        "source": "massive",
        "dataset": "bench",
        "symbol": "ABC",
        "trade_date": day,
        "bar_start": start,
        "bar_start_ns": int(start.timestamp()) * 10**9,
        "stale_refused": False,
        "known_from": start,
        "known_to": datetime(9999, 12, 31, tzinfo=UTC),
    }
    return pa.table(
        [pa.array([values.get(f.name, None if f.nullable else 1)], f.type) for f in schema],
        schema=schema,
    )


if __name__ == "__main__":
    main()
