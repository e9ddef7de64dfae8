"""Files of the lake itself that are gone, torn or unreadable: exit 3 and the file's name.

The files are found by walking the lake folder; what is expected is what was taken away.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ingot.cli.main import run
from ingot.errors import CommitConflictError, DamagedFileError, StorageFullError
from ingot.storage.iceberg import table_store
from ingot.storage.iceberg.catalog.sqlite import SqliteCatalog
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import TableStore
from ingot.tables.silver import MINUTE_BARS
from tests.support.storage_bars import load
from tests.support.world import MINUTES, MONDAY, World, at

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

LOST = {
    "metadata": "warehouse/silver/minute_bars/metadata/*.metadata.json",
    "manifest list": "warehouse/silver/minute_bars/metadata/snap-*.avro",
    "manifest": "warehouse/silver/minute_bars/metadata/*-m0.*.avro",
}
BARS = "bars FZQQ --from 2025-06-02 --to 2025-06-02 --interval 1m"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world of one loaded day."""
    end = MONDAY.replace(day=3)
    world = World(tmp_path_factory.mktemp("lost"), symbols=20, end=end, datasets=(MINUTES,))
    world.publish()
    assert world.backfill(at(1)).exit_code == 0
    return world


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake one of whose tables has one commit."""
    root = tmp_path_factory.mktemp("one commit")
    with TableStore.create(root) as store:
        load(store, MONDAY, {"AAPL": 1})
    return root


@pytest.fixture
def root(world: World, tmp_path: Path) -> Path:
    """Return a copy of the world's lake."""
    return shutil.copytree(world.root, tmp_path / "lake")


def ended(root: Path, command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = run(["--lake", str(root), "--now", at(2).isoformat(), *command.split()])
    shown = capsys.readouterr()
    return code, shown.err + shown.out


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_lost_file_of_a_table_is_damage_that_every_command_names(
    root: Path, capsys: pytest.CaptureFixture[str], kind: str, damage: str
) -> None:
    for path in root.glob(LOST[kind]):
        path.unlink() if damage == "missing" else path.write_bytes(path.read_bytes()[:40])
    for command in (BARS, "init", "repair"):  # the last two do not read every file
        code, err = ended(root, command, capsys)
        assert code == 3 or (command != BARS and code == 0), (command, err)
        assert code == 0 or ("minute_bars" in err and "damaged" in err), (command, err)


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_commit_on_a_lost_file_is_damage_and_no_lost_race(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, damage: str
) -> None:
    root = shutil.copytree(lake, tmp_path / "lake")
    for path in root.glob(LOST[kind]):
        path.unlink() if damage == "missing" else path.write_bytes(path.read_bytes()[:40])
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waited for other writers"))
    with TableStore(root) as store, pytest.raises(DamagedFileError, match="is damaged: "):
        load(store, MONDAY, {"AAPL": 2})


def _undecodable(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE iceberg_tables SET metadata_location = CAST(x'ff' AS TEXT)")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(b"no database" * 500), "file is not a database"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "malformed"),
        (_undecodable, "Could not decode to UTF-8"),
    ],
    ids=["other bytes", "torn", "undecodable"],
)
def test_a_damaged_catalog_ends_with_3(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Path], object],
    words: str,
) -> None:
    change(root / "catalog.db")
    for command in ("status", "init"):
        code, err = ended(root, command, capsys)
        assert code == 3, err
        assert "catalog.db is damaged" in err
        assert words in err


def test_repair_that_finds_lost_bytes_ends_with_3(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(root, "repair", capsys)[0] == 0
    next(path for path in (root / "landing" / "objects").rglob("*") if path.is_file()).unlink()
    assert ended(root, "repair", capsys)[0] == 3


def test_ops_tables_that_cannot_be_written_end_a_load_with_4_and_the_next_writes_them(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = World(tmp_path, symbols=20, end=world.end, datasets=(MINUTES,), vendor=world.tree)
    real = table_store.TableStore.write

    def full(self: TableStore, table: object, *rest: object) -> object:
        if getattr(table, "namespace", "") == "ops":
            raise StorageFullError("the disk is full")
        return real(self, table, *rest)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as patched:
        patched.setattr(table_store.TableStore, "write", full)
        report = later.ingest(at(1))
    assert report.exit_code == 4
    assert [type(error) for error in report.errors] == [StorageFullError]
    assert any("the next run" in notice for notice in report.notices)
    assert later.ingest(at(1)).exit_code == 0
    parts = later.parts(at(2))
    assert parts.ledger.unprojected() == ()
    assert parts.tables.head(MINUTE_BARS) is None
    parts.close()


def test_a_conflict_of_the_ops_tables_is_not_passed_over(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = World(tmp_path, symbols=20, end=world.end, datasets=(MINUTES,), vendor=world.tree)

    def lost(*_: object, **__: object) -> None:
        raise CommitConflictError("ops.runs", attempts=5, reason="others")

    monkeypatch.setattr("ingot.app.context.run_lifecycle.project", lost)
    assert later.ingest(at(1)).exit_code == 4


DYING = textwrap.dedent("""
    import os, sqlite3, sys
    db = sqlite3.connect(sys.argv[1], isolation_level=None)
    db.execute("PRAGMA cache_size = 1")
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE iceberg_tables SET metadata_location = 'half'")
    db.execute("CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
               "WHERE i < 2000) SELECT i, randomblob(500) AS b FROM n")
    os._exit(9)
""")
"""A commit that has written half of its pages to the file when its process dies."""


@pytest.mark.parametrize("writable", [True, False], ids=["writable", "read-only"])
def test_a_reader_sees_the_last_commit_beside_one_that_died(
    root: Path, monkeypatch: pytest.MonkeyPatch, *, writable: bool
) -> None:
    path = root / "catalog.db"
    pointers = SqliteCatalog(path)
    before = dict(pointers.all())
    subprocess.run([sys.executable, "-c", DYING, str(path)], check=False)
    assert path.with_name("catalog.db-journal").exists()
    if not writable:  # as on a disk that is mounted read-only
        real = SqliteCatalog._connect
        monkeypatch.setattr(SqliteCatalog, "_connect", lambda self, _: real(self, "ro"))
    assert pointers.all() == before
    assert path.with_name("catalog.db-journal").exists() is not writable
    pointers.close()
    assert day_is_read(root, MONDAY)


def day_is_read(root: Path, day: date) -> bool:
    with TableStore(root) as store:
        return bool(store.plan(ScanRequest(MINUTE_BARS, start=day)).files)
