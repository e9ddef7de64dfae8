"""The catalog file after a process died inside SQLite's own commit."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from ingot.storage.iceberg.table_store import TableStore
from ingot.tables.silver import MINUTE_BARS

if TYPE_CHECKING:
    from pathlib import Path

DIES_INSIDE_A_COMMIT = """
import os, sqlite3, sys
catalog = sqlite3.connect(sys.argv[1], isolation_level=None)
catalog.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the commit
catalog.execute("BEGIN IMMEDIATE")
catalog.execute("UPDATE iceberg_tables SET metadata_location = 'half a commit'")
for n in range(2000):
    row = ("lake", f"n{n}", "k", "v" * 500)
    catalog.execute("INSERT INTO iceberg_namespace_properties VALUES (?, ?, ?, ?)", row)
os._exit(9)
"""


def die_inside_a_commit(root: Path) -> None:
    catalog = root / "catalog.db"
    subprocess.run([sys.executable, "-c", DIES_INSIDE_A_COMMIT, str(catalog)], check=False)
    assert (root / "catalog.db-journal").stat().st_size > 0


def test_a_reader_undoes_a_commit_that_was_cut_off(tmp_path: Path) -> None:
    with TableStore.create(tmp_path / "lake") as store:
        pointer = store.pointer(MINUTE_BARS)
    die_inside_a_commit(tmp_path / "lake")
    with TableStore.open(tmp_path / "lake") as store:
        assert store.pointer(MINUTE_BARS) == pointer


def test_a_moved_lake_keeps_its_names_after_a_commit_that_was_cut_off(tmp_path: Path) -> None:
    with TableStore.create(tmp_path / "lake") as store:
        pointer = store.pointer(MINUTE_BARS)
    (tmp_path / "lake").rename(tmp_path / "moved")
    die_inside_a_commit(tmp_path / "moved")
    with TableStore.create(tmp_path / "moved") as store:
        assert store.pointer(MINUTE_BARS) == pointer
        assert store.head(MINUTE_BARS) is None
