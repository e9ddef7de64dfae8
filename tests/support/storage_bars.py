"""Small bars for the tests of storage, and ways to look at a table that are not ours."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

from ingot.model.time import FOREVER, to_ns
from ingot.model.unit import Scope
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import Replacement
from ingot.tables import contract
from ingot.tables.arrow import arrow_schema
from ingot.tables.gold import DAILY_BARS
from ingot.tables.silver import MINUTE_BARS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pyiceberg.table import Table as IcebergTable

    from ingot.storage.iceberg.table_store import TableStore
    from ingot.storage.iceberg.write.staged_file import StagedFile
    from ingot.tables.contract import Table

MASSIVE = "massive"
STOCKS = "us_stocks_sip/minute_aggs_v1"
MONDAY = date(2025, 6, 2)
TUESDAY = date(2025, 6, 3)
ONE_DAY = timedelta(days=1)
Row = tuple[str, str, date, str, int]
"""source, dataset, trade date, symbol, transactions: enough to tell rows apart."""


def scope(day: date, days: int = 1, *, source: str = MASSIVE, dataset: str = STOCKS) -> Scope:
    return Scope(source, dataset, day, day + timedelta(days=days))


def bars(table: Table, rows: Iterable[Row]) -> pa.Table:
    """Return rows under the contract of silver.minute_bars or gold.daily_bars, sorted."""
    records = [_record(table, row) for row in rows]
    records.sort(key=lambda r: tuple(r[name] for name in table.sort))
    return pa.Table.from_pylist(records, schema=arrow_schema(table))


def _record(table: Table, row: Row) -> dict[str, Any]:
    source, dataset, day, symbol, transactions = row
    start = datetime.combine(day, time(14, 30), UTC)
    known = {
        "source": source,
        "dataset": dataset,
        "trade_date": day,
        "symbol": symbol,
        "transactions": transactions,
        "session": "regular",
        "bar_start": start,
        "bar_start_ns": to_ns(start),
        "rolling_bars": 1,
        "bar_count": 1,
        "stale_refused": False,
        "known_from": start,
        "known_to": FOREVER,
    }
    price = Decimal("1.500000")
    return {
        c.name: known.get(c.name, price if isinstance(c.type, contract.Decimal) else None)
        for c in table.columns
    }


def stage(
    store: TableStore,
    work: Scope,
    symbols: Mapping[str, int],
    *,
    table: Table = MINUTE_BARS,
    unit: str = "unit",
) -> Replacement:
    """Write one row per symbol on the scope's first day."""
    rows = [(work.source, work.dataset, work.start, s, n) for s, n in symbols.items()]
    return stage_rows(store, work, rows, table=table, unit=unit)


def stage_rows(
    store: TableStore,
    work: Scope,
    rows: Iterable[Row],
    *,
    table: Table = MINUTE_BARS,
    unit: str = "unit",
) -> Replacement:
    files = store.write(table, work, "0123456789abcdef", bars(table, rows).to_reader())
    return Replacement(work, files, unit)


def load(
    store: TableStore, day: date, symbols: Mapping[str, int], *, table: Table = MINUTE_BARS
) -> int | None:
    """Replace one day of one dataset."""
    return store.replace(table, [stage(store, scope(day), symbols, table=table)], run="run")


def planned_rows(store: TableStore, table: Table = MINUTE_BARS, **plan: Any) -> Counter[Row]:
    """Return the rows of the planned files, each with how often it is there."""
    return _count(pq.read_table(f.path) for f in store.plan(ScanRequest(table, **plan)).files)


def iceberg_rows(root: Path, table: Table = MINUTE_BARS) -> Counter[Row]:
    """Return the rows that PyIceberg itself reads, by its own catalog, planner and files."""
    with pyiceberg_table(root, table) as found:
        return _count([found.scan().to_arrow()])


@contextmanager
def pyiceberg_table(root: Path, table: Table = MINUTE_BARS) -> Iterator[IcebergTable]:
    """Open a table as another program does, with PyIceberg's own catalog and file access."""
    catalog = SqlCatalog(
        "lake", uri=f"sqlite:///{root}/catalog.db", warehouse=f"file://{root}/warehouse"
    )
    try:
        yield catalog.load_table(table.name)
    finally:
        catalog.close()


def _count(tables: Iterable[pa.Table]) -> Counter[Row]:
    columns = ["source", "dataset", "trade_date", "symbol", "transactions"]
    return Counter(tuple(row.values()) for t in tables for row in t.select(columns).to_pylist())


def rows_of(day: date, symbols: Mapping[str, int]) -> Counter[Row]:
    return Counter((MASSIVE, STOCKS, day, symbol, n) for symbol, n in symbols.items())


def name_in(root: Path, file: StagedFile) -> str:
    """Return the name of a staged file in the store of the lake in `root`."""
    return Path(file.path).relative_to(root).as_posix()


def files_below(root: Path) -> set[Path]:
    return {path for path in (root / "warehouse").rglob("*") if path.is_file()}


__all__ = ["DAILY_BARS", "MINUTE_BARS"]
