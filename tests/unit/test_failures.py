"""What becomes of the failures that systems and libraries really raise."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from inspect import getmembers, isclass
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

from ingot.errors import (
    ConfigError,
    DamagedFileError,
    IngotError,
    StorageFullError,
    StorageUnavailableError,
)
from ingot.failures import failure_of, reading
from ingot.storage.fs.os_errors import bordered
from ingot.storage.iceberg.table_store import TableStore
from ingot.storage.landing.export_records import ExportStore
from ingot.storage.landing.store import LandingStore
from ingot.storage.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DOORS = (ExportStore, LandingStore, Ledger, TableStore)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EIO, StorageUnavailableError),
        (errno.ESTALE, StorageUnavailableError),
        (errno.EMFILE, StorageUnavailableError),
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, StorageFullError),
        (errno.EROFS, ConfigError),
        (errno.EACCES, ConfigError),
        (errno.ENOENT, DamagedFileError),
    ],
)
def test_a_number_of_the_system_decides_what_to_do_alone_or_in_a_text_of_a_library(
    number: int, expected: type[IngotError]
) -> None:
    words = os.strerror(number)
    data = "/lake/warehouse/silver/minute_bars/data/2025-06/a.parquet"
    found = [
        failure_of(OSError(number, words, data)),
        failure_of(duckdb.IOException(f'IO Error: Could not read from file "{data}": {words}')),
        failure_of(pl.exceptions.ComputeError(f"{words} (os error {number}): {data}")),
    ]
    assert {type(failure) for failure in found} == {expected}
    assert all(data in str(failure) for failure in found)


@pytest.mark.parametrize(
    "read",
    [
        lambda path: duckdb.sql(f"SELECT * FROM read_parquet(['{path}'])"),
        lambda path: pl.scan_parquet(path).collect(),
    ],
)
def test_a_data_file_that_is_missing_is_damage_of_its_table(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    path = tmp_path / "warehouse" / "silver" / "day_bars" / "data" / "2025-06" / "a.parquet"
    with pytest.raises(Exception, match=r"a\.parquet") as raised:
        read(path)
    failure = failure_of(raised.value, path)
    assert isinstance(failure, DamagedFileError)
    assert (failure.path, failure.table) == (str(path), "silver.day_bars")


def test_a_catalog_that_sqlite_cannot_use_is_named_by_what_is_wrong(
    tmp_path: Path,
) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    with (
        closing(sqlite3.connect(path)) as db,
        pytest.raises(sqlite3.Error, match="not a database") as raised,
    ):
        db.execute("SELECT 1 FROM sqlite_master")
    assert isinstance(failure_of(raised.value, path), DamagedFileError)
    absent = tmp_path / "absent" / "catalog.db"
    with pytest.raises(sqlite3.Error, match="unable to open") as opened:
        sqlite3.connect(absent)
    assert isinstance(failure_of(opened.value, absent), StorageUnavailableError)


def test_a_defect_stays_a_defect() -> None:
    assert failure_of(KeyError("x")) is None
    assert failure_of(ValueError("no number")) is None


def test_reading_a_file_of_the_lake_that_is_gone_names_it_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    with pytest.raises(DamagedFileError, match=r"1\.json is damaged: it is missing"), reading(path):
        path.read_bytes()


def test_no_method_of_a_bordered_class_lets_a_failure_of_the_system_pass() -> None:
    @bordered
    class Door:
        def __init__(self, *, fails: bool = False) -> None:
            if fails:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        def read(self) -> bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def walk(self) -> Iterator[str]:
            yield "first"
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        @classmethod
        def open(cls) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with pytest.raises(StorageUnavailableError, match="Input/output error"):
        Door(fails=True)
    with pytest.raises(StorageFullError, match="No space left"):
        Door().read()
    with pytest.raises(StorageUnavailableError, match="Input/output error"):
        list(Door().walk())
    with pytest.raises(ConfigError, match="Permission denied"):
        Door.open()


@pytest.mark.parametrize("door", DOORS)
def test_every_door_of_storage_is_bordered(door: type) -> None:
    public = {
        name: member
        for name, member in getmembers(door, callable)
        if name in vars(door) and not name.startswith("_") and not isclass(member)
    }
    assert public
    assert all(hasattr(member, "__wrapped__") for member in public.values())
