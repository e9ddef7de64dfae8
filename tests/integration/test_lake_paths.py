"""A lake may have any path: what means something in a URL or a pattern means nothing in it.

What is expected are the rows that were staged, and no other folder.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingot.cli.main import run
from ingot.engines.limits import Limits
from ingot.engines.sandbox.client import Sandbox
from ingot.engines.transform.duckdb import DuckDBEngine
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import TableStore
from ingot.tables.silver import MINUTE_BARS
from ingot.tables.view import View
from tests.support.storage_bars import MONDAY, TUESDAY, load

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("a%20b", "a b", "ü", "a#b", "what?", "it's", "[1]*", "deep/" * 20 + "er", "two\nlines")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake with one day of one symbol."""
    root = tmp_path_factory.mktemp("plain") / "lake"
    with TableStore.create(root) as store:
        load(store, MONDAY, {"AAPL": 1})
    return root


def symbols(store: TableStore, spill: Path) -> list[str | None]:
    """Return the symbols that the embedded engine reads."""
    with DuckDBEngine(memory_limit_mb=256, threads=1, temp_directory=spill) as engine:
        bars = {"bars": store.plan(ScanRequest(MINUTE_BARS)).relation()}
        rows = engine.run("SELECT symbol FROM bars ORDER BY trade_date", bars).read_all()
    return rows["symbol"].to_pylist()


@pytest.mark.parametrize("name", NAMES)
def test_a_lake_is_read_and_written_where_it_is(lake: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / "place" / name / "lake"
    shutil.copytree(lake, root)
    before = set(tmp_path.rglob("lake"))
    with TableStore.open(root) as store:
        load(store, TUESDAY, {"MSFT": 1})
        assert symbols(store, tmp_path / "spill") == ["AAPL", "MSFT"]
        assert all(
            Path(f.path).is_relative_to(root) for f in store.plan(ScanRequest(MINUTE_BARS)).files
        )
    assert set(tmp_path.rglob("lake")) == before


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


@pytest.mark.parametrize("name", ["a%20b/c?#", pytest.param("ü", marks=pytest.mark.services)])
def test_init_makes_a_lake_at_a_relative_path_and_finds_it_through_a_link(
    here: Path, name: str
) -> None:
    assert run(["--lake", name, "init"]) == 0
    assert (here / name / "catalog.db").is_file()
    (here / "link").symlink_to(name)
    assert run(["--lake", "link", "tables"]) == 0
    assert {path.parent for path in here.rglob("catalog.db")} == {here / name}


def test_a_path_that_is_a_pattern_of_another_reads_its_own_rows_alone(
    lake: Path, tmp_path: Path
) -> None:
    for name in ("a?b", "axb"):
        shutil.copytree(lake, tmp_path / name)
    with TableStore.open(tmp_path / "a?b") as store:
        view = View(
            "silver.minute_bars", store.plan(ScanRequest(MINUTE_BARS)).relation(), ("symbol",)
        )
        assert symbols(store, tmp_path / "spill") == ["AAPL"]
    limits = {"memory_mb": 256, "threads": 1, "timeout_s": 30, "max_rows": 10}
    with Sandbox(tmp_path / "a?b" / "warehouse", Limits(**limits)) as sandbox:
        rows = sandbox.ask("SELECT symbol FROM silver.minute_bars", {view.name: view})
    assert rows["symbol"].to_pylist() == ["AAPL"]
